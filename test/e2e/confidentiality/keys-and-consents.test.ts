import { ConsentState, SigningKeyState, TokenMethod } from '@touchstone/contracts';
import { describe, expect, test, vi } from 'vitest';
import { unique } from '../../harness/world.ts';
import { outcomeOf } from '../support-outcome.ts';
import { consentAttacks, consentRevivals } from './attacks-on-consents.ts';
import { dataKeyAttacks } from './attacks-on-data-keys.ts';
import { keyAttacks, keyRevivals } from './attacks-on-signing-keys.ts';
import { judging, sideBySide } from './judging.ts';
import { type OwnKey, ownKey, partOf, signedBy } from './own-keys.ts';
import { type Held, lookAgain, namedMethods, type Scene, signedMethods } from './scene.ts';

// Somebody has a full dump and may write anything to the database, but has not the master key: what he does to signing
// keys, to consents and to what both are wrapped by.
const its = judging();
const { expectActive, expectAnswered, verdicts } = its;
const isActive = expect.objectContaining({ active: true });

const revoke = ({ operator }: Scene, target: object): Promise<unknown> =>
  operator.revocation.revokeTokens({
    target: { target } as never,
    reason: 'test',
    idempotencyKey: unique('incident'),
  });

/** The key that signs in the tenant, once there is one. */
async function activeKeyOf({ operator, tenantId }: Scene): Promise<string> {
  const { signingKeys } = await operator.registry.listSigningKeys({ tenantId });
  return signingKeys.find(({ state }) => state === SigningKeyState.ACTIVE)?.signingKeyId ?? '';
}

describe("signing keys: the attacker's own is never taken for a tenant's when", () => {
  interface Case {
    readonly scene: Scene;
    readonly own: OwnKey;
    readonly activeId: string;
    readonly victim: Held;
    readonly issued: Held | null;
    readonly issuing: string;
    readonly rotating: string;
  }
  /** Once all that is done is done. */
  let published: Awaited<ReturnType<typeof its.own.published>>;
  const { caseOf, validators } = sideBySide(its, async () => {
    const cases = new Map<string, Case>();
    for (const { name, attack } of keyAttacks) {
      const { attacker } = its;
      const [scene, abroad] = [await its.openScene(), await its.openScene()];
      const [victim] = [await scene.victimOf(TokenMethod.SIGNED), await abroad.victimOf(TokenMethod.SIGNED)];
      await expectActive(victim.token, scene);
      const [own, activeId] = [ownKey(), await activeKeyOf(scene)];
      await attack({ attacker, scene, abroad, activeId, own });
      await lookAgain(attacker, scene);
      let issued: Held | null = null;
      const issuing = await outcomeOf(
        scene.victimOf(TokenMethod.SIGNED).then((made) => {
          issued = made;
        }),
      );
      const rotating = await outcomeOf(scene.operator.registry.rotateSigningKey({ tenantId: scene.tenantId }));
      cases.set(name, { scene, own, activeId, victim, issued, issuing, rotating });
    }
    published = await its.own.published();
    return cases;
  });

  test.each(keyAttacks)('$name', async ({ name, issuing, rotating }) => {
    const { scene, own, activeId, victim, issued, ...answered } = caseOf(name);
    expect(answered).toEqual({ issuing, rotating });
    for (const { kid, x } of published) {
      expect(kid).not.toBe(own.keyId);
      expect(x).not.toBe(JSON.parse(own.publicJwk).x);
    }
    const [header, payload] = [partOf(victim.token, 0), partOf(victim.token, 1)];
    for (const kid of [own.keyId, activeId]) {
      await expectAnswered('NOT_HONOURED', validators(), signedBy(own, { ...header, kid }, payload), scene);
    }
    if (!issued) return;
    expect(partOf(issued.token, 0).kid).not.toBe(own.keyId);
    for (const validator of validators())
      expect(await verdicts([validator], issued.token, scene)).toContainEqual(isActive);
  });

  test('a key of his own in the place of the next one: keys are not rotated, and the one that signs goes on', async () => {
    const scene = await its.openScene();
    await scene.victimOf(TokenMethod.SIGNED);
    const [own, activeId] = [ownKey(), await activeKeyOf(scene)];
    const { attacker } = its;
    await attacker.write(`update signing_key set public_jwk = $2 where tenant_id = $1 and state = 'next'`, [
      scene.tenantId,
      own.publicJwk,
    ]);
    const rotation = outcomeOf(scene.operator.registry.rotateSigningKey({ tenantId: scene.tenantId }));
    expect(await rotation).toBe('Internal INTERNAL');
    await lookAgain(attacker, scene);
    const { token } = await scene.victimOf(TokenMethod.SIGNED);
    expect(partOf(token, 0).kid).toBe(activeId);
    expect((await its.own.published()).map(({ x }) => x)).not.toContain(JSON.parse(own.publicJwk).x);
  });
});

describe('signing keys: what a revoked one has signed stays dead, and it is published no more, when', () => {
  interface Case {
    readonly scene: Scene;
    readonly revokedId: string;
    readonly victims: readonly Held[];
  }
  /** Once all that is done is done. */
  let published: Awaited<ReturnType<typeof its.own.published>>;
  const { caseOf, validators } = sideBySide(its, async () => {
    const cases = new Map<string, Case>();
    for (const { name, attack } of keyRevivals) {
      const { attacker } = its;
      const scene = await its.openScene();
      const victims = [];
      for (const method of signedMethods) victims.push(await scene.victimOf(method));
      for (const { token } of victims) await expectActive(token, scene);
      const activeId = await activeKeyOf(scene);
      const { schema } = await attacker.dump();
      await revoke(scene, { case: 'signingKeyId', value: activeId });
      await attack({ attacker, scene, activeId }, schema);
      await lookAgain(attacker, scene);
      cases.set(name, { scene, revokedId: activeId, victims });
    }
    published = await its.own.published();
    return cases;
  });

  test.each(keyRevivals)('$name', async ({ name }) => {
    const { scene, revokedId, victims } = caseOf(name);
    for (const { token } of victims) await expectAnswered('NOT_HONOURED', validators(), token, scene);
    expect(published.map(({ kid }) => kid)).not.toContain(revokedId);
  });

  test.each(keyRevivals)('$name, and it is listed as revoked', async ({ name }) => {
    const { scene, revokedId } = caseOf(name);
    const { tenantId, operator } = scene;
    const { signingKeys } = await operator.registry.listSigningKeys({ tenantId });
    const listed = signingKeys.find(({ signingKeyId }) => signingKeyId === revokedId);
    expect(listed?.state).toBe(SigningKeyState.REVOKED);
  });

  test('it is said to be revoked, and what is issued next is honoured', async () => {
    const { scene } = caseOf('it is said not to be revoked');
    const { token } = await scene.victimOf(TokenMethod.SIGNED);
    await expectActive(token, scene);
  });
});

describe('consents: nobody gets more than the user has permitted by an edit of', () => {
  interface Case {
    readonly answer: string;
    /** Tokens of both consents, each made under its key. */
    readonly held: readonly Held[];
    readonly scene: Scene;
  }
  const { caseOf, validators } = sideBySide(its, async () => {
    const { attacker, abroad } = its;
    const prepared = [];
    for (const one of consentAttacks) {
      const scene = await its.openScene();
      const grants = [{ audience: scene.audience, scopes: ['orders:read'] }];
      const given = (ttl: bigint) =>
        scene.consent({ appId: scene.manyApp, userId: 'mallory', grants, ttl: { seconds: ttl } });
      const at = { attacker, scene, abroad, consentId: await given(3_600n), endedId: await given(1n) };
      const held = [
        await scene.victimOf(TokenMethod.CONSENT_KEY, {
          userId: 'mallory',
          consentId: at.consentId,
          scopes: ['orders:read'],
        }),
      ];
      await expectActive(held[0]?.token ?? '', scene);
      prepared.push({ ...one, at, held });
    }
    const cases = new Map<string, Case>();
    for (const { name, attack, gain, at, held } of prepared) {
      const { scene } = at;
      const under = () => outcomeOf(scene.issue({ appId: scene.manyApp, userId: 'mallory', consentId: at.endedId }));
      await vi.waitUntil(async () => (await under()) === 'FailedPrecondition CONSENT_ENDED', { timeout: 5_000 });
      await attack(at);
      cases.set(name, { answer: await outcomeOf(gain(at)), held, scene });
    }
    return cases;
  });

  test.each(consentAttacks)('$name', ({ name, answer }) => {
    expect(caseOf(name).answer).toBe(answer);
  });

  const onKeys = consentAttacks.filter(({ name }) => /its (data )?key/.test(name));
  test.each(onKeys)('$name, and nobody opens what was made under it, though he has before', async ({ name }) => {
    const { held, scene } = caseOf(name);
    for (const { token } of held) await expectAnswered('NOT_HONOURED', validators(), token, scene);
  });
});

describe('consents: what stood on one that has been withdrawn stays dead when', () => {
  interface Case {
    readonly scene: Scene;
    readonly victims: ReadonlyMap<string, Held>;
  }
  const { caseOf, validators } = sideBySide(its, async () => {
    const cases = new Map<string, Case>();
    for (const { name, attack } of consentRevivals) {
      const { attacker } = its;
      const scene = await its.openScene();
      const victims = new Map<string, Held>();
      for (const [method, number] of namedMethods) victims.set(method, await scene.victimOf(number));
      for (const { token } of victims.values()) await expectActive(token, scene);
      const { schema } = await attacker.dump();
      await revoke(scene, { case: 'consentId', value: scene.consents.victim });
      await attack(attacker, scene.consents.victim, schema);
      cases.set(name, { scene, victims });
    }
    return cases;
  });

  describe.each(consentRevivals)('$name', ({ name }) => {
    test.each(namedMethods)('a token made as %s', async (method) => {
      const { scene, victims } = caseOf(name);
      await expectAnswered('NOT_HONOURED', validators(), victims.get(method)?.token ?? '', scene);
    });
  });

  const restored = consentRevivals.filter(({ name }) => name !== 'its key is put back');

  test('its key is put back, and nothing is issued under it', async () => {
    const { scene } = caseOf('its key is put back');
    for (const [, method] of namedMethods) {
      expect(await outcomeOf(scene.victimOf(method))).toBe('FailedPrecondition CONSENT_ENDED');
    }
  });

  test.each(restored)('$name, and nothing is issued under it', async ({ name }) => {
    const { scene } = caseOf(name);
    for (const [, method] of namedMethods) {
      expect(await outcomeOf(scene.victimOf(method))).toBe('FailedPrecondition CONSENT_ENDED');
    }
  });

  test.each(restored)('$name, and it is listed as withdrawn', async ({ name }) => {
    const { scene } = caseOf(name);
    const { consent } = await scene.identity.consents.getConsent({ consentId: scene.consents.victim });
    expect(consent?.state).toBe(ConsentState.WITHDRAWN);
  });
});

describe('data keys: nothing opens, and nothing is made, under keys that are not ours when', () => {
  test.each(dataKeyAttacks)('$name', async ({ attack, fresh, consentKey }) => {
    const { attacker, scene } = its;
    const [signed, token] = [await scene.holderOf(TokenMethod.SIGNED), await scene.holderOf(TokenMethod.CONSENT_KEY)];
    const before = await attacker.dump();
    try {
      await attack(attacker);
      await its.withFresh(async ([running, started]) => {
        const answers = (validator: typeof running, which: Held) =>
          validator ? verdicts([validator], which.token) : Promise.resolve([]);
        // Who has been running has unwrapped them before.
        expect(await answers(running, signed)).toContainEqual(isActive);
        expect(await answers(running, token)).toContainEqual(isActive);
        if (fresh === 'does not begin') {
          for (const which of [signed, token]) {
            for (const answer of await answers(started, which))
              expect(answer).toEqual({ active: false, why: 'Unavailable' });
          }
          return;
        }
        expect(await answers(started, signed)).toContainEqual(isActive);
        const told = await answers(started, token);
        if (consentKey === 'active') expect(told).toContainEqual(isActive);
        else expect(told[0]).toEqual({ active: false, why: consentKey });
      });
    } finally {
      await attacker.putBack(before, ['data_key']);
    }
    await expectActive((await scene.holderOf(TokenMethod.CONSENT_KEY)).token);
  });
});
