import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const logger = fileURLToPath(new URL('./logger.ts', import.meta.url));

/** What a process logs that writes these messages and ends. */
async function logged(messages: string): Promise<{ msg: string; time: string; service: string }[]> {
  const script = `const log = (await import(${JSON.stringify(logger)})).openLogger('validator', 'info');
    for (const message of ${messages}) log.info(message);
    await log.end();`;
  const options = { maxBuffer: 16 * 1024 * 1024 };
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], options);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('every line is written, whole and in order, whatever its length and its letters', async () => {
  const lines = await logged(
    `['short', '€'.repeat(5000), 'x'.repeat(40000), 'ä', ...Array(1000).fill('y'.repeat(99))]`,
  );
  expect(lines.map(({ msg }) => msg)).toEqual([
    'short',
    '€'.repeat(5_000),
    'x'.repeat(40_000),
    'ä',
    ...Array(1_000).fill('y'.repeat(99)),
  ]);
});

test('what is logged last comes last, also where the reader is slow and the process ends at once', async () => {
  const script = `const log = (await import(${JSON.stringify(logger)})).openLogger('validator', 'info');
    for (let i = 0; i < 3000; i++) {
      log.info(i + 'x'.repeat(1000));
      if (i % 100 === 0) await new Promise(setImmediate);
    }
    log.info('last');
    await log.end();
    process.exit();`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script]);
  await sleep(500);
  let out = '';
  child.stdout.on('data', (bytes) => {
    out += bytes;
  });
  await once(child, 'close');
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).msg);
  expect(lines.map((line) => Number.parseInt(line, 10))).toEqual([...Array(3_000).keys(), Number.NaN]);
  expect(lines.at(-1)).toBe('last');
});

test('where there is nobody to read, the end of the log is no fault', async () => {
  const script = `const log = (await import(${JSON.stringify(logger)})).openLogger('validator', 'info');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    for (let i = 0; i < 100; i++) log.info('x'.repeat(1000));
    await Promise.race([log.end(), new Promise((resolve) => setTimeout(resolve, 1000))]);
    process.exit();`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script]);
  child.stdout.destroy();
  child.stdin.write('go');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test.skipIf(process.platform !== 'linux').each(['a full disk', 'a pipe that nobody reads'])(
  '%s neither ends a process nor keeps it from ending',
  async (where) => {
    const script = `const log = (await import(${JSON.stringify(logger)})).openLogger('validator', 'info');
    for (let i = 0; i < 1000; i++) log.info('x'.repeat(1000));
    await new Promise((resolve) => setTimeout(resolve, 500));
    log.info('and more');
    await Promise.race([log.end(), new Promise((resolve) => setTimeout(resolve, 500))]);
    process.exit(7);`;
    await using full = await open('/dev/full', 'w');
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', where === 'a full disk' ? full.fd : 'pipe', 'ignore'],
    });
    try {
      expect(await once(child, 'exit', { signal: AbortSignal.timeout(20_000) })).toEqual([7, null]);
    } finally {
      child.kill('SIGKILL');
    }
  },
);

test('where nobody reads, lines are lost that would be too many, and how many is told', async () => {
  const script = `const log = (await import(${JSON.stringify(logger)})).openLogger('validator', 'info');
    let lost = 0;
    log.onLoss((bytes) => { lost += bytes; });
    const line = 'x'.repeat(1_000_000);
    for (let i = 0; i < 80; i++) log.info(line);
    process.stderr.write(String(lost), () => process.kill(process.pid, 'SIGKILL'));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script]);
  const [lost] = await once(child.stderr, 'data');
  expect(Number(lost)).toBeGreaterThan(80_000_000 - 64 * 1_024 * 1_024 - 2_000_000);
  expect(Number(lost)).toBeLessThan(80_000_000 - 60_000_000);
});

test('a line tells its service and its time', async () => {
  const before = Date.now();
  const [line] = await logged(`['one']`);
  expect(line).toMatchObject({ service: 'validator', msg: 'one' });
  expect(line?.time).toBe(new Date(line?.time ?? 0).toISOString());
  expect(Date.parse(line?.time ?? '')).toBeGreaterThanOrEqual(before);
});

test('a line of something earlier is of its time, and the next one of its own', async () => {
  const script = `const { atTime, openLogger } = await import(${JSON.stringify(logger)});
    const log = openLogger('validator', 'info');
    atTime(Date.UTC(2026, 0, 1), () => log.info('then'));
    log.info('now');
    await log.end();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  const [then, now] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(then.time).toBe('2026-01-01T00:00:00.000Z');
  expect(Date.now() - Date.parse(now.time)).toBeLessThan(60_000);
});
