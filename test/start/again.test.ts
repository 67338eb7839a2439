import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RegistryService, RevocationService } from '@touchstone/contracts';
import { clientOf } from '@touchstone/local-stack';
import { expect, test } from 'vitest';
import { issue, validate } from './calls.ts';
import { localJson, npmStart, openPlace, pressCtrlC, type Run } from './npm-start.ts';

async function stop(run: Run): Promise<void> {
  await run.processes();
  pressCtrlC(run);
  await run.exited;
  await run.untilNothingIsLeft();
}

test('data stay, credentials are made afresh, and --fresh starts over', async () => {
  await using place = await openPlace();
  await using first = npmStart(place);
  await first.untilUp();
  const former = await localJson(place);
  const { token } = await issue(former, former.identity_token);
  await stop(first);
  await writeFile(join(place.folder, 'bench.json'), '{}');

  const started = performance.now();
  await using second = npmStart(place);
  await second.untilUp();
  const seconds = (performance.now() - started) / 1_000;
  console.log(`The second start was up after ${seconds.toFixed(1)} s.`);
  expect(seconds).toBeLessThan(30); // The promise is 6 s, on a machine that does nothing else.
  const local = await localJson(place);
  expect(await validate(local, local.resource_server_token, token)).toMatchObject({ active: true });

  const refused = { rawMessage: expect.any(String), code: 16 };
  await expect(issue(local, former.identity_token)).rejects.toMatchObject(refused);
  await expect(issue(local, former.app_token)).rejects.toMatchObject(refused);
  await expect(validate(local, former.resource_server_token, token)).rejects.toMatchObject(refused);
  const registry = clientOf(RegistryService, local.issuer.grpc, former.operator_token);
  const principal = { case: 'app', value: { appId: local.app_id } } as const;
  const credential = { principal, scopes: ['tokens:issue:self'], ttl: { seconds: 60n } };
  await expect(registry.issueCredential(credential)).rejects.toMatchObject(refused);
  const revocation = clientOf(RevocationService, local.revocation.grpc, former.operator_token);
  const revoke = { tokenOrId: { case: 'token', value: token }, reason: 'a test' } as const;
  await expect(revocation.revokeToken(revoke)).rejects.toMatchObject(refused);
  await stop(second);

  // As a machine leaves it that went down while it was written.
  await writeFile(join(place.folder, 'local.json'), '{"identity_token": "tks_');
  await using third = npmStart(place, '--fresh');
  await third.untilUp();
  const fresh = await localJson(place);
  expect(await validate(fresh, fresh.resource_server_token, token)).toMatchObject({ active: false });
  expect((await readdir(place.folder)).sort()).toEqual(['bench.json', 'local.json', 'stack', 'start.pid']);
  await stop(third);
});

test('--ephemeral leaves no folder behind', async () => {
  await using place = await openPlace();
  await using run = npmStart({ ...place, temporary: place.folder }, '--ephemeral');
  await run.untilUp();
  const folders = async () => (await readdir(place.folder)).filter((name) => name.startsWith('touchstone-'));
  expect(await folders()).toHaveLength(1);
  await stop(run);
  expect(await folders()).toEqual([]);
});
