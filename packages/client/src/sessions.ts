import { Http2SessionManager } from '@connectrpc/connect-node';

type Request = Parameters<Http2SessionManager['request']>;

/** A connection that has not answered for so long is given up: the kernel takes a quarter of an hour for that. */
const liveness = { pingIntervalMs: 5_000, pingTimeoutMs: 3_000 };

/** Certificates and a key, as PEM. */
export interface Tls {
  /** Of the authorities that the server's certificate may come from; without it those that Node knows. */
  readonly ca?: string;
  /** The caller's own, where it shows one (mutual TLS), with those that lead to its authority. */
  readonly cert?: string;
  /** That certificate's private key. */
  readonly key?: string;
}

const ignored = () => {};

/**
 * Connections as Connect keeps them, of which none is kept that is dead, and none ends the process. Connect destroys one that
 * a server which stops has bidden farewell (GOAWAY), and Node tells of that as an error later on: where another connection has
 * been made meanwhile nobody listens any more (connect-es issue 1768).
 */
export class Sessions extends Http2SessionManager {
  /** @param url of the server. */
  constructor(url: string, tls: Tls = {}) {
    super(url, liveness, tls);
  }

  override async request(...request: Request): ReturnType<Http2SessionManager['request']> {
    const stream = await super.request(...request);
    // Once, however many requests.
    stream.session?.off('error', ignored).on('error', ignored);
    return stream;
  }
}
