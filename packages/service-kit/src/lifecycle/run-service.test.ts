import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, expect, test } from 'vitest';

const other = createServer().listen(0, '127.0.0.1');
await once(other, 'listening');
const { port: taken } = other.address() as { port: number };
afterAll(() => other.close());

const environment = {
  DATABASE_URL: 'postgres://user:hunter2@db/touchstone',
  MASTER_KEY_FILE: '/keys/master',
  VALIDATOR_GRPC_PORT: '0',
  VALIDATOR_HTTP_PORT: '0',
  STOP_MILLISECONDS: '500',
};
const from = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);

/** A process of a service whose context opens, or not, by this code. */
async function run(openContext: string, env: Record<string, string> = {}) {
  const code = `
    import { runService } from ${from('./run-service.ts')};
    import { commonSettings, readSettings } from ${from('../config/settings.ts')};
    await runService({
      name: 'validator',
      services: [],
      readConfig: (env) => readSettings(commonSettings('VALIDATOR', 0, 0), env),
      routes: ({ routes = [] }) => routes,
      openContext: async (config, runtime) => { ${openContext} },
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { env: { ...environment, ...env } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
    // Once: a second signal ends the process at once.
    if (out.includes('"msg":"ready"') && !child.killed) child.kill('SIGTERM');
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const started = performance.now();
  const [exitCode] = await once(child, 'close');
  return { exitCode, out, err, milliseconds: performance.now() - started };
}

const opened = `return { replica: {}, async [Symbol.asyncDispose]() { runtime.logger.info('pools closed'); } };`;

test('a service that is told to stop closes what it opened and ends well', async () => {
  const { exitCode, out, err } = await run(opened);
  expect([exitCode, err]).toEqual([0, '']);
  expect(out).toMatch(/ready.*pools closed.*stopped/s);
});

test.each(['GRPC', 'HTTP'])('a taken %s port is one line that names the port and its setting', async (kind) => {
  const { exitCode, err, milliseconds } = await run(opened, { [`VALIDATOR_${kind}_PORT`]: String(taken) });
  expect(exitCode).toBe(1);
  expect(err).toMatch(new RegExp(`^validator ends: port ${taken} .*VALIDATOR_${kind}_PORT.*\n$`));
  expect(milliseconds).toBeLessThan(20_000);
});

test('settings that are wrong are named, without values', async () => {
  const { exitCode, err, out } = await run(opened, { FENCE_MILLISECONDS: 'hunter2' });
  expect([exitCode, out]).toEqual([1, '']);
  expect(err).toContain('FENCE_MILLISECONDS');
  expect(err).not.toContain('hunter2');
});

test.each([
  ['while it opens', 'new URL(config.DATABASE_URL.slice(9))'],
  ['that nobody waits for', `Promise.reject(new Error(config.DATABASE_URL, { cause: config })); ${opened}`],
  ['that nobody catches', `setImmediate(() => { throw new Error(config.DATABASE_URL); }); ${opened}`],
])('an error %s ends the service with a code, in time, and quotes no setting', async (_when, code) => {
  const { exitCode, out, err, milliseconds } = await run(code);
  expect(exitCode).toBe(1);
  expect(out).toMatch(/"level":60.*"class":"(Type)?Error"/);
  expect(out + err).not.toContain('hunter2');
  expect(milliseconds).toBeLessThan(20_000);
});

test.each([
  ['closes', 'return { replica: {}, [Symbol.asyncDispose]: () => new Promise(() => {}) };'],
  ['opens', "runtime.logger.info('ready'); return new Promise(() => {});"],
])('a context that never %s does not keep the service', async (_what, code) => {
  const { exitCode, out, milliseconds } = await run(code);
  expect(exitCode).toBe(0);
  expect(out).toContain('"msg":"stopped"');
  expect(milliseconds).toBeLessThan(20_000);
});

test('a service whose routes cannot be made closes what it opened', async () => {
  const withoutRoutes = opened.replace('replica: {}', 'replica: {}, get routes() { throw new Error("hunter2"); }');
  const { exitCode, out, err } = await run(withoutRoutes);
  expect(exitCode).toBe(1);
  expect(out).toContain('pools closed');
  expect(out + err).not.toContain('hunter2');
});
