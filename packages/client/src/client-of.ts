import type { DescService } from '@bufbuild/protobuf';
import { type Client, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { Sessions } from './sessions.ts';

/** What a caller shows: a credential, or what is made for each call, as `assertions` does. */
export type Authorization = string | (() => string | Promise<string>);

/**
 * A client of one service, over gRPC.
 *
 * @param service of `@touchstone/contracts`, as `ValidatorService`.
 * @param url of its gRPC port: `https://...`, or `http://...` where that speaks plain text.
 */
export function clientOf<Service extends DescService>(
  service: Service,
  url: string,
  authorization: Authorization,
): Client<Service> {
  const authorize: Interceptor = (next) => async (request) => {
    const shown = typeof authorization === 'string' ? authorization : await authorization();
    request.header.set('authorization', `Bearer ${shown}`);
    return next(request);
  };
  const sessionManager = new Sessions(url);
  return createClient(service, createGrpcTransport({ baseUrl: url, interceptors: [authorize], sessionManager }));
}
