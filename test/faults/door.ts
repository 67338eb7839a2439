import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** The way to a server of this machine: what a balancer, or a name that is looked up, is to those who connect. */
export interface Door extends AsyncDisposable {
  readonly port: number;
  /** Where new connections go; those from before stay where they are. Null: nowhere. */
  leadTo(port: number | null): void;
  /** Ends the connections that there are. */
  cut(): void;
}

export async function openDoor(to: number): Promise<Door> {
  let leadsTo: number | null = to;
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    if (leadsTo === null) return void near.destroy();
    const far = connect({ host: '127.0.0.1', port: leadsTo, noDelay: true });
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.pipe(into);
      // A connection that is refused or reset shows at the other end as its end.
      from.on('error', () => {});
      from.on('close', () => {
        open.delete(from);
        into.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    leadTo(port) {
      leadsTo = port;
    },
    cut,
    async [Symbol.asyncDispose]() {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
}

/** The URL of a database, as it is reached through the door. */
export const through = ({ port }: Door, url: string): string => atPort(port, url);

/** The same URL with another port. */
export function atPort(port: number, url: string): string {
  const other = new URL(url);
  other.port = String(port);
  return other.href;
}
