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

test('a consent that is recorded while those there were end ends too, and one that comes after the user was cut off stays', async () => {
  const consents = new TestConsents([ofAda('con_before', 0), ofAda('con_withdrawn', 0)]);
  consents.withdrawn.add('con_withdrawn');
  const revocations = new Meanwhile(({ target }, now) => {
    if (target.kind === 'user') consents.stored.push(ofAda('con_meanwhile', now), ofAda('con_after', now + 1));
    consents.withdrawn.add(target.key);
  });
  const requested: ErasureRequest[] = [];
  const erasures = {
    request: async (erasure: ErasureRequest) => void requested.push(erasure),
    find: async () => null,
  };
  const caller = actOf({ kind: 'operator', scopes: ['tokens:revoke'] });
  const command = { tenantId: 't1', userId: 'ada', reason: '' };
  const { head } = await eraseUser(caller, command, {
    registry: new TestRegistry(),
    handles,
    consents,
    revocations,
    erasures,
  });
  expect(revocations.intents.map(({ target }) => target.key)).toEqual(['con_before', userHandle, 'con_meanwhile']);
  // What ended last is deleted as well.
  expect(head.revision).toBe(30);
  expect(requested[0]?.revocation?.head.revision).toBe(30);
});
