/** Another process listens on the port, or it may not be listened on. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';
  constructor(port: number, setting: string, cause: Error) {
    super(`port ${port} cannot be listened on (is it taken?): free it, or set ${setting} to another one or to 0`, {
      cause,
    });
  }
}
