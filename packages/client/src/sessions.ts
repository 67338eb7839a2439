import { Http2SessionManager } from '@connectrpc/connect-node';

type Request = Parameters<Http2SessionManager['request']>;

const ignored = () => {};

/**
 * Connections as Connect keeps them, of which none ends the process. It destroys one that a server which stops has bidden
 * farewell (GOAWAY), and Node tells of that as an error later on: where another connection has been made meanwhile nobody
 * listens any more (connect-es issue 1768).
 */
export class Sessions extends Http2SessionManager {
  readonly #heard = new WeakSet<object>();

  override async request(...request: Request): ReturnType<Http2SessionManager['request']> {
    const stream = await super.request(...request);
    const { session } = stream;
    if (session && !this.#heard.has(session)) {
      this.#heard.add(session);
      session.on('error', ignored);
    }
    return stream;
  }
}
