import { totalmem } from 'node:os';

const mebibyte = 1024 * 1024;

/** The bytes of memory that this process and its children may use. */
export function usableMemory(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}

/** The server's settings: safe above all, then quick on a machine that does other work too. */
export function postgresSettings(port: number, memoryBytes: number): Readonly<Record<string, string>> {
  return {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    password_encryption: 'scram-sha-256',
    // What was committed survives a crash of the process and of the machine.
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    shared_buffers: `${sharedBuffersMebibytes(memoryBytes)}MB`,
    max_connections: '200',
    // A statement over a table of a few hundred partitions locks each of them and its indexes.
    max_locks_per_transaction: '1024',
    // Few checkpoints: after each one every page is written in full once more.
    max_wal_size: '4GB',
    checkpoint_timeout: '15min',
    random_page_cost: '1.1',
    // Compiling costs more than it saves in statements of milliseconds.
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] ',
  };
}

/** Settings as arguments of `postgres`, where they outrank the files in the data folder. */
export function settingArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function sharedBuffersMebibytes(memoryBytes: number): number {
  const eighth = Math.floor(memoryBytes / 8 / mebibyte);
  return Math.min(Math.max(eighth, 256), 1024);
}
