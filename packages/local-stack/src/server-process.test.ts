import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ServerFailed } from './errors.ts';
import { openTemporaryFolder, type TemporaryFolder } from './folders.ts';
import { commandOf, isAlive } from './processes.ts';
import { openServerLog } from './server-log.ts';
import { type ServerCommand, startServerProcess, untilReady } from './server-process.ts';

let folder: TemporaryFolder;

beforeEach(async () => {
  folder = await openTemporaryFolder();
});

afterEach(() => folder[Symbol.asyncDispose]());

async function shell(script: string): Promise<ServerCommand> {
  const log = await openServerLog(join(folder.path, 'data'), 'shell');
  const signals = { ask: 'SIGTERM', force: 'SIGKILL' } as const;
  return { name: 'Shell', file: '/bin/sh', args: ['-c', script], env: { PATH: process.env.PATH }, log, signals };
}

test('a server that ends instead of getting ready is told with the end of its log', async () => {
  const command = await shell('echo the reason; exit 3');
  const server = await startServerProcess(command);
  const ready = untilReady(command, server, async () => false, 10_000);
  await expect(ready).rejects.toThrow(ServerFailed);
  await expect(ready).rejects.toThrow('the reason');
  expect(await server.exited).toBe(3);
});

test('a server that does not get ready in time is killed', async () => {
  const command = await shell('sleep 60');
  const server = await startServerProcess(command);
  await expect(untilReady(command, server, async () => false, 100)).rejects.toThrow('was not ready in 100 ms');
  expect(await isAlive(server.pid)).toBe(false);
});

test('the log of a run does not show what an earlier run wrote', async () => {
  const first = await startServerProcess(await shell('echo first'));
  await first.exited;
  const command = await shell('echo second');
  await (await startServerProcess(command)).exited;
  expect(command.log.end()).toBe('second');
  expect(await readFile(command.log.file, 'utf8')).toBe('first\nsecond\n');
});

test('a server is given its own environment and nothing of this process', async () => {
  process.env.SECRET_OF_OURS = 'secret';
  const command = await shell('env');
  await (await startServerProcess(command)).exited;
  expect(command.log.end()).not.toContain('SECRET_OF_OURS');
});

test('a kill takes the children too', async () => {
  const command = await shell('sleep 61 & echo $!; wait');
  const server = await startServerProcess(command);
  await untilReady(command, server, async () => command.log.end() !== '', 10_000);
  const child = Number(command.log.end());
  // It has its number before it has become the program.
  await expect.poll(() => commandOf(child)).toBe('sleep 61');
  await server.kill();
  expect([await isAlive(server.pid), await isAlive(child)]).toEqual([false, false]);
});

test('a program that does not exist is an error', async () => {
  const command = { ...(await shell('')), file: '/nowhere/postgres' };
  await expect(startServerProcess(command)).rejects.toThrow('ENOENT');
});
