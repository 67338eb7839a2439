import { expect, test } from 'vitest';
import type { Revocation, RevocationIntent } from '../revoke/ports.ts';
import { actOf } from '../test-act.ts';
import { consentOf, TestConsents } from '../test-consents.ts';
import { handles, TestRegistry } from '../test-registry.ts';
import { TestRevocations } from '../test-writers.ts';
import { eraseUser } from './erase.ts';
import type { ErasureRequest } from './ports.ts';

const userHandle = 'handle of t1 ada';
const ofAda = (consentId: string, recordedAt: number) => consentOf(consentId, 't1', { userHandle, recordedAt });

/** Its clock goes on with each revocation, and so does what happens meanwhile. */
class Meanwhile extends TestRevocations {
  readonly #then: (intent: RevocationIntent, now: number) => void;

  constructor(then: (intent: RevocationIntent, now: number) => void) {
    super();
    this.#then = then;
  }

  override async write(intent: RevocationIntent): Promise<Revocation> {
    const now = 10 * (this.intents.length + 1);
    this.#then(intent, now);
    return { ...(await super.write(intent)), recordedAt: now, head: { revision: now, hash: '' } };
  }
}

/** Erases ada. @param then what happens as each revocation is written. */
async function eraseAda(consents: TestConsents, then: (intent: RevocationIntent, now: number) => void) {
  const revocations = new Meanwhile((intent, now) => {
    then(intent, now);
    consents.withdrawn.add(intent.target.key);
  });
  const requested: ErasureRequest[] = [];
  const erasures = {
    request: async (erasure: ErasureRequest) => void requested.push(erasure),
    find: async () => null,
  };
  const caller = actOf({ kind: 'operator', scopes: ['tokens:revoke'] });
  const command = { tenantId: 't1', userId: 'ada', reason: '' };
  const ports = { registry: new TestRegistry(), handles, consents, revocations, erasures };
  const { head } = await eraseUser(caller, command, ports);
  const ended = revocations.intents.map(({ target }) => target.key);
  return { ended, upTo: [head.revision, requested[0]?.revocation?.head.revision] };
}

test('a consent that is recorded while those there were end ends too, and one that comes after the user was cut off stays', async () => {
  const consents = new TestConsents([ofAda('con_before', 0), ofAda('con_withdrawn', 0)]);
  consents.withdrawn.add('con_withdrawn');
  const { ended, upTo } = await eraseAda(consents, ({ target }, now) => {
    if (target.kind === 'user') consents.stored.push(ofAda('con_meanwhile', now), ofAda('con_after', now + 1));
  });
  expect(ended).toEqual(['con_before', userHandle, 'con_meanwhile']);
  // What ended last is deleted as well.
  expect(upTo).toEqual([30, 30]);
});

test('one that somebody else has withdrawn since the user was cut off is deleted as well', async () => {
  const consents = new TestConsents([ofAda('con_withdrawn', 0)]);
  consents.withdrawn.add('con_withdrawn');
  const { ended, upTo } = await eraseAda(consents, ({ target }, now) => {
    if (target.kind !== 'user') return;
    consents.stored.push(ofAda('con_meanwhile', now));
    consents.withdrawn.add('con_meanwhile');
  });
  expect(ended).toEqual([userHandle, 'con_meanwhile']);
  expect(upTo).toEqual([20, 20]);
});
