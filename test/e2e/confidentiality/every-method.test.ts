import { attenuate } from '@touchstone/client';
import { TokenMethod } from '@touchstone/contracts';
import { beforeAll, describe, expect, test } from 'vitest';
import { edits, forgeries, methodEdits, type NamedRowAttack } from './attacks-on-rows.ts';
import { judging, sideBySide } from './judging.ts';
import { type DumpedRow, type Forger, madeUpStrings } from './made-up-strings.ts';
import { insertKey, ownKey } from './own-keys.ts';
import { type Held, namedMethods } from './scene.ts';

// Somebody has a full dump and may write anything to the database, and has tokens of low rights, made by each method; but
// not the master key.
const its = judging();
const { expectActive, expectAnswered, verdicts } = its;
const asHolder = { active: true, scopes: ['orders:read'], claims: { name: 'M' } };

describe.each(namedMethods)('%s', (name, method) => {
  describe('presenting: with a dump no string can be made that is honoured,', () => {
    let forger: Forger;
    let holder: Held;
    let victim: Held;
    beforeAll(async () => {
      const { attacker, scene } = its;
      // The keys that sign are there from the first token on that takes one.
      await scene.holderOf(TokenMethod.SIGNED);
      [holder, victim] = [await scene.holderOf(method), await scene.victimOf(method)];
      const key = ownKey();
      await insertKey(attacker, key, scene.tenantId);
      forger = {
        row: await attacker.read<DumpedRow>('select * from token where id = $1', [victim.id]),
        victimId: victim.tokenId,
        own: holder.token,
        another: (await scene.holderOf(method)).token,
        key,
        active: await attacker.read(
          `select * from signing_key where tenant_id = $1 and state = 'active' and disabled_revision is null`,
          [scene.tenantId],
        ),
      };
    });

    const strings = madeUpStrings[method].map(([what, make, why = 'MALFORMED']) => [what, make, why] as const);
    test.each(strings)('not as %s', async (_, make, why) => {
      const presented = make(forger);
      expect([holder.token, victim.token]).not.toContain(presented);
      await expectAnswered(why, [its.running], presented);
      await expectActive(victim.token);
      await expectActive(holder.token);
    });

    test("nor as the token's id", () => expectAnswered('MALFORMED', [its.running], victim.tokenId));
  });

  describeRowAttacks('forging: a string is not honoured on a row made out of others,', forgeries);
  describeRowAttacks('widening: a token is refused whose row was edited in', [...edits, ...methodEdits(name)]);

  function describeRowAttacks(title: string, attacks: readonly NamedRowAttack[]): void {
    describe(title, () => {
      const { caseOf, validators } = sideBySide(its, async () => {
        const cases = new Map<string, Held>();
        for (const [attacked, attack] of attacks) {
          const { attacker, scene, abroad } = its;
          const [own, victim] = [await scene.holderOf(method), await scene.victimOf(method)];
          await expectActive(own.token);
          await attack({ attacker, scene, abroad, own, victim });
          await expectActive(victim.token);
          cases.set(attacked, own);
        }
        return cases;
      });

      test.each(attacks)('%s', (attacked) => expectAnswered('NOT_HONOURED', validators(), caseOf(attacked).token));

      test('while a token whose row nobody touched is honoured by both validators', async () => {
        const { token } = await its.scene.holderOf(method);
        const answers = await verdicts(validators(), token);
        expect(answers.filter(({ active }) => active)).toEqual([asHolder, asHolder]);
      });
    });
  }
});

test('a copy of an ATTENUABLE token that asks for more than its original gets no more', async () => {
  const { token } = await its.scene.holderOf(TokenMethod.ATTENUABLE);
  const copies = [
    attenuate(token, { scopes: ['orders:read', 'orders:write'] }),
    attenuate(token, { expiresAt: 99_999_999_999 }),
  ];
  for (const copy of copies) {
    const answers = await verdicts([its.running], copy);
    expect(answers.filter(({ active }) => active)).toEqual([asHolder]);
  }
  const [read, write] = await verdicts([its.running], attenuate(token, { scopes: ['orders:write'] }));
  expect([read, write]).toEqual([
    { active: false, why: 'SCOPE_MISSING' },
    { active: false, why: 'SCOPE_MISSING' },
  ]);
});
