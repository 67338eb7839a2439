import type { DescService } from '@bufbuild/protobuf';
import { type Client, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { brokenOff } from './broken-off.ts';
import { Sessions, type Tls } from './sessions.ts';

/**
 * What a caller shows: a credential; what is made for each call, as `assertions` does; or its certificate, registered for the
 * client of that name (`app:...`, `resource_server:...`, `identity_service:TENANT/...`).
 */
export type Authorization = Bearer | { readonly client: string };
type Bearer = string | (() => string | Promise<string>);

/** How the service is called. */
export interface ClientOptions {
  /** Of an `https` URL: what is trusted, and what is shown. */
  readonly tls?: Tls;
  /** Milliseconds after which a call that sets no time of its own ends with DEADLINE_EXCEEDED; without it none does. */
  readonly timeoutMs?: number;
}

/**
 * A client of one service, over gRPC. A call may bring an `authorization` of its own, among its headers.
 *
 * @param service of `@touchstone/contracts`, as `ValidatorService`.
 * @param url of its gRPC port: `https://...`, or `http://...` where that speaks plain text.
 */
export function clientOf<Service extends DescService>(
  service: Service,
  url: string,
  authorization: Authorization,
  { tls, timeoutMs }: ClientOptions = {},
): Client<Service> {
  const interceptors = [authorize(authorization), brokenOff];
  const sessionManager = new Sessions(url, tls);
  const timeout = timeoutMs === undefined ? {} : { defaultTimeoutMs: timeoutMs };
  return createClient(service, createGrpcTransport({ baseUrl: url, interceptors, sessionManager, ...timeout }));
}

const authorize =
  (authorization: Authorization): Interceptor =>
  (next) =>
  async (request) => {
    if (typeof authorization === 'object') request.header.set('touchstone-client', authorization.client);
    else if (!request.header.has('authorization'))
      request.header.set('authorization', `Bearer ${await shownBy(authorization)}`);
    return next(request);
  };

const shownBy = (bearer: Bearer): string | Promise<string> => (typeof bearer === 'string' ? bearer : bearer());
