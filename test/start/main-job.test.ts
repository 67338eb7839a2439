import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { IssuerService, RegistryService, RevocationService, Usage } from '@touchstone/contracts';
import { clientOf } from '@touchstone/local-stack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { issue, validate as validateWith } from './calls.ts';
import { type LocalJson, localJson, npmStart, openPlace, type Place, pressCtrlC, type Run } from './npm-start.ts';

const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');

let place: Place;
let run: Run;
let local: LocalJson;

beforeAll(async () => {
  place = await openPlace();
  run = npmStart(place);
  await run.untilUp();
  local = await localJson(place);
});

afterAll(async () => {
  await run?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

const validate = (token: string, credential = local.resource_server_token) => validateWith(local, credential, token);

test('it shows the main job, as README.md tells', () => {
  const shown = /```\n(Touchstone is up[^`]+)```/.exec(readme)?.[1] ?? '';
  expect(comparable(run.output())).toContain(comparable(shown.trim()));
  // The article's claims, of which three are released; and in the end the token is refused.
  expect(shown).toMatch(/active=true {2}subject=110169484474386276334 {2}name=John Doe {2}email=testuser@gmail.com/);
  expect(shown).toContain('active=false');
});

/** Without what differs from run to run. */
const comparable = (text: string): string =>
  text
    .replaceAll(/tks_r\S{19}\.\.\./g, 'tks_r...')
    .replaceAll(/rvk_\w+/g, 'rvk_')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'address')
    .replaceAll(/\d+\.\d s\./g, 'seconds');

test('local.json has what programs need, for its owner alone', async () => {
  const endpoint = (service: string) => ({
    grpc: `127.0.0.1:${place.ports[`${service}_GRPC_PORT`]}`,
    http: `http://127.0.0.1:${place.ports[`${service}_HTTP_PORT`]}`,
  });
  const credential = expect.stringMatching(/^tks_\w+$/);
  expect(local).toStrictEqual({
    issuer: endpoint('ISSUER'),
    validator: endpoint('VALIDATOR'),
    revocation: endpoint('REVOCATION'),
    postgres: expect.stringMatching(`^postgres://postgres:.+@127.0.0.1:${place.ports.POSTGRES_PORT}/postgres$`),
    kafka: null,
    operator_token: credential,
    identity_token: credential,
    app_token: credential,
    resource_server_token: credential,
    tenant_id: 'demo',
    app_id: 'demo-app',
    audience: 'https://orders.example.com',
    scopes: ['orders:read'],
  });
  expect((await stat(join(place.folder, 'local.json'))).mode & 0o777).toBe(0o600);
});

test('what it says to try next works as it stands', async () => {
  const command = /To issue a token yourself:\n\n([\s\S]+?)\n\n/.exec(run.output())?.[1] ?? '';
  const { stdout } = await promisify(execFile)('sh', ['-c', command]);
  const { token } = JSON.parse(stdout);
  expect(await validate(token)).toMatchObject({ active: true, claims: { name: 'Ada', email: 'ada@example.org' } });
});

test('the first call of README.md works as it stands', async () => {
  const { token } = await issue(local, local.identity_token);
  const snippet = /```\n(node -p [^`]+)```/.exec(readme)?.[1] ?? '';
  const command = snippet
    .replace('./.touchstone', place.folder)
    .replace('http://127.0.0.1:7012', local.validator.http)
    .replace('tks_...', token);
  const { stdout } = await promisify(execFile)('sh', ['-c', command]);
  expect(JSON.parse(stdout)).toMatchObject({ active: true, subject: 'ada' });
});

test('the TypeScript of README.md works as it stands', async () => {
  const snippet = /```ts\n([\s\S]+?)```/.exec(readme)?.[1] ?? '';
  const program = snippet.replace('./.touchstone', place.folder);
  // As a module of this folder, which finds the packages.
  const flags = ['--input-type=module-typescript', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: import.meta.dirname });
  expect(stdout).toBe('true ada\n');
});

test('each credential does what it is for', async () => {
  const { tenant_id: tenantId, app_id: appId, audience, scopes } = local;
  const request = { tenantId, appId, audience, scopes: [...scopes] };
  const issuer = (credential: string) => clientOf(IssuerService, local.issuer.grpc, credential);
  const forUser = { ...request, userId: 'grace', usage: Usage.INTERACTIVE };
  const { token } = await issuer(local.identity_token).issueToken(forUser);
  const { token: ofApp } = await issuer(local.app_token).issueToken({ ...request, usage: Usage.AUTOMATION });
  expect([await validate(token), await validate(ofApp)]).toMatchObject([{ active: true }, { active: true }]);

  const registry = clientOf(RegistryService, local.issuer.grpc, local.operator_token);
  const another = { case: 'app', value: { appId } } as const;
  const ttl = { seconds: 60n };
  await registry.issueCredential({ principal: another, scopes: ['tokens:issue:self'], ttl });
  const revocation = clientOf(RevocationService, local.revocation.grpc, local.operator_token);
  await revocation.revokeToken({ tokenOrId: { case: 'token', value: token }, reason: 'a test' });
  expect(await validate(token)).toMatchObject({ active: false });
  const all = { target: { case: 'all', value: {} } } as const;
  await revocation.revokeTokens({ target: all, reason: 'a test', idempotencyKey: 'all-of-them' });
  expect(await validate(ofApp)).toMatchObject({ active: false });
});

test('no credential is in the output, in the logs or among the arguments of a process', async () => {
  const logs = await Promise.all(
    ['issuer', 'validator', 'revocation', 'postgres'].map((name) =>
      readFile(join(place.folder, `stack/${name}-log/${name === 'postgres' ? 'postgresql' : name}.log`), 'utf8'),
    ),
  );
  const commands = (await run.processes()).map(({ command }) => command);
  expect(commands.filter((command) => command.includes('/src/main.ts')).length).toBeGreaterThanOrEqual(4);
  const secrets = [
    ...[local.operator_token, local.identity_token, local.app_token, local.resource_server_token],
    new URL(local.postgres).password,
  ];
  for (const text of [run.output(), ...logs, ...commands]) {
    for (const secret of secrets) expect(text).not.toContain(secret.slice(5, 25));
  }
  expect(run.output()).not.toMatch(/tks_\w{25}/);
});

test.each(['--kafka', '--fresh'])('a second one in the same folder says so, and disturbs nothing: %s', async (flag) => {
  await using second = npmStart(place, flag);
  expect(await second.exited).toBe(1);
  expect(second.output()).toMatch(/did not start: process \d+ already runs on .*: stop it or choose another folder\n/);
  expect(await localJson(place)).toEqual(local);
  const ready = await fetch(`${local.validator.http}/readyz`);
  expect(ready.status).toBe(200);
});

test('Ctrl-C ends it, and leaves nothing running', async () => {
  await run.processes();
  pressCtrlC(run);
  expect(await run.exited).toBe(0);
  await run.untilNothingIsLeft();
});
