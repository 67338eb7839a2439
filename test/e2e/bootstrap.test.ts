import { CredentialNotAllowed } from '@touchstone/core';
import { bootstrapOperator } from '@touchstone/replica';
import { expect, inject, test } from 'vitest';
import { clientsOf, openWorld, unique } from '../harness/world.ts';
import { revokedOnTrail } from './support-audit.ts';
import { outcomeOf } from './support-outcome.ts';

const stack = inject('stack');

const bootstrap = (name: string, tenantIds: readonly string[], replace: boolean) =>
  bootstrapOperator(
    { name, tenantIds, scopes: ['registry:read'], ttl: 600, replace },
    { databaseUrl: stack.adminUrl, keys: { MASTER_KEY_FILE: stack.masterKeyFile } },
  );

test('who replaces what was bootstrapped for a name cuts it off in whichever tenants it acted', async () => {
  const [{ tenantId: one }, { tenantId: other }] = await Promise.all([openWorld(stack), openWorld(stack)]);
  const [name, another] = [unique('operator'), unique('operator')];
  const { credential: theirs } = await bootstrap(another, [one], false);
  const reads = (credential: string, tenantId: string) =>
    outcomeOf(clientsOf(stack, credential).registry.getTenant({ tenantId }));
  const former: (readonly [string, string])[] = [];
  for (const tenantIds of [[one], [other], [one, other], [other]]) {
    if (former.length > 0) {
      await expect(bootstrap(name, tenantIds, false)).rejects.toThrow(CredentialNotAllowed);
    }
    const { credential } = await bootstrap(name, tenantIds, former.length > 0);
    for (const [before, tenantId] of former) {
      // Who calls may be known for as long as a replica has not heard of it.
      await expect.poll(() => reads(before, tenantId)).toBe('Unauthenticated CALLER_UNKNOWN');
    }
    expect(await reads(credential, tenantIds[0] as string)).toBe('ok');
    former.push([credential, tenantIds[0] as string]);
  }
  expect(await reads(theirs, one)).toBe('ok');
  const replaced = {
    by: 'bootstrap',
    targetKind: 'user',
    includeCredentials: true,
    reason: 'replaced by a new bootstrap',
  };
  for (const tenantId of [one, other]) {
    expect(await revokedOnTrail(stack, tenantId)).toMatchObject(Array(former.length - 1).fill(replaced));
  }
});

test('a name that no operator, or no tenant, can have is refused before the name is spent on it', async () => {
  const [name, { tenantId }] = [unique('operator'), await openWorld(stack)];
  for (const wrong of ['Acme', 'a,b', '', '*', '9']) {
    await expect(bootstrap(name, [tenantId, wrong], false)).rejects.toThrow('begins with a letter');
    await expect(bootstrap(wrong, [tenantId], false)).rejects.toThrow('begins with a letter');
  }
  await bootstrap(name, [tenantId], false);
});
