import { readdir, readFile, readlink } from 'node:fs/promises';

/** Whether a connection of the process comes from this port of 127.0.0.1. Linux only. */
export async function hasSocket(pid: number, port: number): Promise<boolean> {
  const wanted = await inodesOf(port);
  const folder = `/proc/${pid}/fd`;
  const open = await readdir(folder).catch(() => []);
  // Descriptors are closed meanwhile.
  const links = await Promise.all(open.map((name) => readlink(`${folder}/${name}`).catch(() => '')));
  return links.some((link) => wanted.has(link));
}

/** As descriptors name them. */
async function inodesOf(port: number): Promise<Set<string>> {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  return new Set(lines.filter(([, address]) => address === local).map((columns) => `socket:[${columns[9]}]`));
}
