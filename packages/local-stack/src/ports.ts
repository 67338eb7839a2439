import { once } from 'node:events';
import { createServer } from 'node:net';
import { PortTaken } from './errors.ts';

/**
 * Makes sure that a server may listen on the port of 127.0.0.1.
 *
 * @param remedy how to choose another one, for the message.
 * @throws PortTaken when another process listens there.
 */
export async function requireFreePort(port: number, remedy = 'choose another port'): Promise<void> {
  const probe = createServer().listen({ host: '127.0.0.1', port, exclusive: true });
  try {
    await once(probe, 'listening');
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? new PortTaken(port, remedy) : error;
  }
  probe.close();
  await once(probe, 'close');
}
