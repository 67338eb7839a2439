import { create } from '@bufbuild/protobuf';
import { WatchRevocationRequestSchema } from '@touchstone/contracts';
import { type Act, CallerUnknown, type Progress, type Revocation, Shares } from '@touchstone/core';
import { expect, test } from 'vitest';
import type { RevocationContext } from '../context.ts';
import { watchRevocationHandler } from './watch-revocation.ts';

const act: Act = {
  caller: {
    kind: 'operator',
    name: 'ops',
    tenantIds: ['t1'],
    scopes: ['tokens:revoke'],
    credentialId: 'tok_1',
    credentialExpiresAt: Number.POSITIVE_INFINITY,
  },
  peer: '127.0.0.1:1',
  traceId: '0'.repeat(32),
};
const revocation: Revocation = {
  revocationId: 'rvk_1',
  head: { revision: 7, hash: '0'.repeat(64) },
  target: { kind: 'user', key: 'u1' },
  tenantId: 't1',
  ceiling: 1,
  includeCredentials: false,
  reason: '',
  actor: { kind: 'operator', name: 'ops', credentialId: 'tok_1' },
  requestText: '',
  idempotencyKey: null,
  recordedAt: 0,
};

test('between two looks it is asked whether the caller may watch still; who may not is told no more', async () => {
  const said: Progress[] = [false, true, false].map((isPublished) => ({
    isPublished,
    completeAt: null,
    validators: [],
  }));
  const following = {
    revocations: { find: async () => revocation },
    census: { progressOf: async () => said.shift() as Progress },
    watches: new Shares(1),
  };
  const allowed = [act];
  const requireStillAllowed = async () => allowed.pop() ?? Promise.reject(new CallerUnknown());
  const call = { act, isPlain: false, toStatus: () => expect.unreachable(), requireStillAllowed };
  const request = create(WatchRevocationRequestSchema, { revocationId: 'rvk_1' });
  const watching = watchRevocationHandler({ following } as unknown as RevocationContext)(request, call);
  const told: unknown[] = [];
  const ended = (async () => {
    for await (const one of watching) told.push(one.revocation?.progress?.published);
  })();
  await expect(ended).rejects.toThrow(CallerUnknown);
  expect(told).toEqual([false, true]);
  expect(said).toHaveLength(1);
});
