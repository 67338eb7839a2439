import type { Listener } from '../grpc/server.ts';

/** Another process listens on the port, HOST is no address of this machine, or this process may not listen there. */
export class CannotListen extends Error {
  override readonly name = 'CannotListen';
  constructor(listener: Listener, cause: Error) {
    super(problemWith(listener, cause), { cause });
  }
}

function problemWith({ host, port, portSetting }: Listener, { message }: Error): string {
  if (message.includes('EADDRINUSE')) {
    return `port ${port} cannot be listened on (is it taken?): free it, or set ${portSetting} to another one or to 0`;
  }
  // The errors of grpc-js have no code, and where HOST has several addresses each failure is in the message.
  const errno = /listen (E\w+)/.exec(message)?.[1] ?? 'the name does not resolve';
  return `port ${port} of ${host} cannot be listened on (${errno}): HOST must be an address of this machine, and ${portSetting} a port that this process may use`;
}
