import { beforeAll, describe, expect, test } from 'vitest';
import { clientsOf } from '../../harness/world.ts';
import { credentialAttacks } from './attacks-on-credentials.ts';
import { registryAttacks } from './attacks-on-registry.ts';
import { edits, forgeries, type NamedRowAttack } from './attacks-on-rows.ts';
import { disablings } from './disablings.ts';
import { judging, sideBySide } from './judging.ts';
import { type DumpedRow, madeUpStrings } from './made-up-strings.ts';
import { type Held, held, outcomeOf, type Scene } from './scene.ts';

// Somebody has a full dump and may write anything to the database, and has tokens and credentials of few rights; but not
// the master key. What he does about revocations is in revoked-stays-revoked.test.ts and revocations-to-come.test.ts.
const its = judging();
const { expectActive, expectRefused, verdicts } = its;
const asHolder = { active: true, scopes: ['orders:read'], claims: { name: 'M' } };

describe('presenting: with a dump no string can be made that is honoured,', () => {
  let row: DumpedRow;
  let holder: Held;
  let victim: Held;
  beforeAll(async () => {
    [holder, victim] = [await its.scene.holder(), await its.scene.victim()];
    row = await its.attacker.read<DumpedRow>('select * from token where id = $1', [victim.id]);
  });

  test.each(madeUpStrings)('not as %s', async (_, make) => {
    const presented = make(row, holder.token);
    expect(presented).not.toBe(holder.token);
    await expectRefused([its.running], presented);
    await expectActive(victim.token);
    await expectActive(holder.token);
  });

  test("nor as the token's id", () => expectRefused([its.running], victim.tokenId));
});

function describeRowAttacks(title: string, attacks: readonly NamedRowAttack[]): void {
  describe(title, () => {
    const { caseOf, validators } = sideBySide(its, async () => {
      const cases = new Map<string, Held>();
      for (const [name, attack] of attacks) {
        const { attacker, scene, abroad } = its;
        const at = { attacker, scene, abroad, own: await scene.holder(), victim: await scene.victim() };
        await expectActive(at.own.token);
        await attack(at);
        await expectActive(at.victim.token);
        cases.set(name, at.own);
      }
      return cases;
    });

    test.each(attacks)('%s', (name) => expectRefused(validators(), caseOf(name).token));

    test('while a token whose row nobody touched is honoured by both validators', async () => {
      const { token } = await its.scene.holder();
      const answers = await verdicts(validators(), token);
      expect(answers.filter(({ active }) => active)).toEqual([asHolder, asHolder]);
    });
  });
}

describeRowAttacks('forging: a string is not honoured on a row made out of others,', forgeries);
describeRowAttacks('widening: a token is refused whose row was edited in', edits);

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

/** The issuer remembers the registry until the tenant's version has risen. */
const lookAgain = ({ tenantId }: Scene): Promise<number> =>
  its.attacker.write('update tenant set registry_version = registry_version + 1 where tenant_id = $1', [tenantId]);

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
      await lookAgain(scene);
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
      await lookAgain(scene);
      const later = await scene.issue().catch(() => null);
      cases.set(name, { scene, tokens: later ? [token, later.token] : [token] });
    }
    return cases;
  });

  test.each(disablings)('$name', async ({ name }) => {
    const { scene, tokens } = caseOf(name);
    for (const token of tokens) await expectRefused(validators(), token, scene);
  });
});
