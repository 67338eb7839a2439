import { TokenMethod } from '@touchstone/contracts';
import { describe, expect, test } from 'vitest';
import { clientsOf } from '../../harness/world.ts';
import { credentialAttacks } from './attacks-on-credentials.ts';
import { registryAttacks } from './attacks-on-registry.ts';
import { disablings } from './disablings.ts';
import { judging, sideBySide } from './judging.ts';
import { held, lookAgain, outcomeOf, type Scene } from './scene.ts';

// Somebody has a full dump and may write anything to the database, and has tokens and credentials of few rights; but not
// the master key. What he does about revocations is in revoked-stays-revoked.test.ts and revocations-to-come.test.ts.
const its = judging();
const { expectActive, expectRefused, verdicts } = its;
/** What the holder's token is worth. */
const asHolder = { active: true, scopes: ['orders:read'], claims: { name: 'M' } };

test('what does not decide may be edited: the token is worth what it was', async () => {
  const holder = await its.scene.holder();
  await its.attacker.write(`update token set token_hash = 'x', tag_key_id = 9 where id = $1`, [holder.id]);
  const answers = await verdicts([its.running], holder.token);
  expect(answers.filter(({ active }) => active)).toEqual([asHolder]);
});

describe('credentials: an app does not become another caller by', () => {
  test.each(credentialAttacks)('$name', async ({ attack, gain }) => {
    const { attacker, scene, abroad } = its;
    const made = await scene.operator.registry.issueCredential({
      principal: { case: 'app', value: { appId: scene.lowApp } },
      scopes: ['tokens:issue:self'],
      ttl: { seconds: 60n },
    });
    const own = held({ token: made.credential, tokenId: made.tokenId });
    const at = { attacker, scene, abroad, own, victim: await scene.victim() };
    await attack(at);
    for (const { token } of [own, at.victim]) {
      expect(await outcomeOf(gain(clientsOf(its.own.shared, token), at))).toBe('Unauthenticated');
    }
  });

  test('while a credential whose row nobody touched does what it is for', async () => {
    const { app, request } = its.scene;
    expect(await outcomeOf(app.issuer.issueToken(request({ userId: '', claims: {} })))).toBe('done');
  });
});

describe('the registry: nobody is granted or told more by an edit of', () => {
  const { caseOf, validators } = sideBySide(its, async () => {
    const cases = new Map<string, { readonly scene: Scene; readonly token: string }>();
    for (const [name, attack] of registryAttacks) {
      const { attacker, abroad } = its;
      const scene = await its.openScene();
      const { token } = await scene.victim({ claims: { name: 'Grace', phone: '555' } });
      await expectActive(token, scene);
      expect(await outcomeOf(scene.issue({ appId: scene.lowApp }))).toBe('done');
      await attack({ attacker, scene, abroad });
      await lookAgain(its.attacker, scene);
      cases.set(name, { scene, token });
    }
    return cases;
  });
  const more = [{ scopes: ['orders:write'] }, { scopes: ['orders:all'] }, { ttl: { seconds: 86_400n } }];

  test.each(registryAttacks)('%s', async (name) => {
    const { scene, token } = caseOf(name);
    const { tenantId, audience, identity, request } = its.abroad;
    for (const over of [...more, { tenantId, audience }]) {
      expect(await outcomeOf(scene.issue({ appId: scene.lowApp, ...over }))).not.toBe('done');
    }
    expect(await outcomeOf(identity.issuer.issueToken(request({ appId: scene.lowApp })))).not.toBe('done');
    const answers = await verdicts(validators(), token, scene);
    for (const answer of answers) expect(answer).not.toHaveProperty('claims.phone');
  });
});

describe('disabling: stays, when it is undone in the registry, for', () => {
  const { caseOf, validators } = sideBySide(its, async () => {
    const cases = new Map<string, { readonly scene: Scene; readonly tokens: readonly string[] }>();
    for (const { name, disable, undo } of disablings) {
      const scene = await its.openScene();
      const { token } = await scene.victim();
      await expectActive(token, scene);
      await disable(scene);
      await undo(its.attacker, scene);
      await lookAgain(its.attacker, scene);
      // Whoever verifies such a token by himself does not ask.
      expect(await outcomeOf(scene.issue({ method: TokenMethod.SIGNED }))).not.toBe('done');
      cases.set(name, { scene, tokens: [token] });
    }
    return cases;
  });

  test.each(disablings)('$name', async ({ name }) => {
    const { scene, tokens } = caseOf(name);
    for (const token of tokens) await expectRefused(validators(), token, scene);
  });
});
