import net from 'node:net';
import type { ISocketFactory } from 'kafkajs';

const keepAliveMilliseconds = 60_000;

/**
 * Makes the sockets of one client and ends them for sure: kafkajs's own way waits for answers that may never come. Every
 * request under way then fails.
 */
export class Sockets implements Disposable {
  readonly #open = new Set<net.Socket>();
  #closed = false;

  readonly factory: ISocketFactory = ({ host, port, onConnect }) => {
    const socket = net.connect(
      { host, port, keepAlive: true, keepAliveInitialDelay: keepAliveMilliseconds },
      onConnect,
    );
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    if (this.#closed) destroy(socket);
    return socket;
  };

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const socket of this.#open) destroy(socket);
  }
}

/** kafkajs listens for errors, and lets go of its requests and timers at one; it does not listen for 'close'. */
const destroy = (socket: net.Socket) => socket.destroy(new Error('closed by this process'));
