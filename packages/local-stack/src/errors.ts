/** What stops a local server from starting. `code` is stable; the message is for a person and says what to do. */
export abstract class LocalStackError extends Error {
  abstract readonly code: string;
}

/** Another process listens on the port. */
export class PortTaken extends LocalStackError {
  override readonly name = 'PortTaken';
  override readonly code = 'port_taken';
  readonly port: number;

  constructor(port: number, remedy: string) {
    super(`port ${port} on 127.0.0.1 is taken: free it or ${remedy}`);
    this.port = port;
  }
}

/** The folder's data is in use by a server that still runs. */
export class AlreadyRunning extends LocalStackError {
  override readonly name = 'AlreadyRunning';
  override readonly code = 'already_running';

  constructor(dataDir: string, pid: number) {
    super(`process ${pid} already runs on ${dataDir}: stop it or choose another folder`);
  }
}

/** The user that the server must run as may not enter a folder it needs. */
export class FolderClosed extends LocalStackError {
  override readonly name = 'FolderClosed';
  override readonly code = 'folder_closed';

  constructor(path: string, closed: string, user: string) {
    super(
      `Postgres refuses to run as root and runs as ${user}, who may not enter ${closed} to reach ${path}: ` +
        `allow it (chmod o+x ${closed}), use another folder, or start as an ordinary user`,
    );
  }
}

/** The folder holds something that this package did not make, and will not touch. */
export class FolderForeign extends LocalStackError {
  override readonly name = 'FolderForeign';
  override readonly code = 'folder_foreign';

  constructor(folder: string, why: string) {
    super(`${folder} ${why}: choose another folder, or remove it if it is not needed`);
  }
}

/** The server ended, or was not ready in time. The message carries the end of its log. */
export class ServerFailed extends LocalStackError {
  override readonly name = 'ServerFailed';
  override readonly code = 'server_failed';

  constructor(server: string, what: string, logFile: string, logEnd: string) {
    super(`${server} ${what}; the end of ${logFile} says:\n${logEnd}`);
  }
}

/** Something of a stack that was up has ended by itself. */
export class StackFailed extends LocalStackError {
  override readonly name = 'StackFailed';
  override readonly code = 'stack_failed';

  /** @param which and where its log is. */
  constructor(which: string) {
    super(`what has ended, and why its log says: ${which}`);
  }
}

/** This machine lacks what the server is made of. */
export class ServerUnavailable extends LocalStackError {
  override readonly name = 'ServerUnavailable';
  override readonly code = 'server_unavailable';
}
