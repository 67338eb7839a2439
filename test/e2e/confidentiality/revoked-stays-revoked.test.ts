import { readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { untilAllReady } from '../../faults/services.ts';
import type { Table } from './attacker.ts';
import { judging } from './judging.ts';
import { revivals, revocations } from './revivals.ts';
import { held } from './scene.ts';

// Somebody has a full dump from before a revocation and may write anything to the database, but has not the master key.
const its = judging();
const { expectActive, expectRefused, withFresh } = its;

// Who was attacked while it wanted to commit its row, time and again, is fenced for a moment.
beforeEach(() => untilAllReady(Object.values(its.own.stack.services)));

describe('reviving: a revoked token stays revoked when', () => {
  test.each(revivals)('$name', async ({ revoked, attack }) => {
    const { attacker, scene, abroad } = its;
    const own = held(await scene.app.issuer.issueToken(scene.request({ userId: '', claims: {} })));
    const [victim, bystander] = [await scene.victim(), await abroad.victim()];
    await expectActive(victim.token);
    const before = await attacker.dump();
    await revocations[revoked](scene, victim);
    await expectRefused([its.running], victim.token);
    const after = await attacker.dump();
    try {
      await attack({ attacker, scene, victim, before, own });
      await withFresh((validators) => expectRefused(validators, victim.token));
    } finally {
      await attacker.putBack(after);
    }
    await expect
      .poll(() => its.verdicts([its.running], bystander.token, abroad))
      .toContainEqual(expect.objectContaining({ active: true }));
    await expectRefused([its.running], victim.token);
  });
});

test('the digests in several dumps do not tell what a watermark weighs, from which another set of the same sum could be made', async () => {
  const { attacker, scene } = its;
  const [victim, other] = [await scene.victim(), await scene.victim()];
  const digest = async () =>
    BigInt(`0x${(await attacker.read<{ digest: string }>('select digest from history')).digest}`);
  const weigh = async () => {
    const empty = await digest();
    await revocations.token(scene, victim);
    return BigInt.asUintN(256, (await digest()) - empty);
  };
  const before = await attacker.dump();
  const once = await weigh();
  await attacker.putBack(before);
  await expect
    .poll(() =>
      revocations.token(scene, other).then(
        () => 'done',
        () => 'not yet',
      ),
    )
    .toBe('done');
  expect(await weigh()).not.toBe(once);
});

describe('known limit (docs/decisions/0002): an older state of the database is a restore, and a token that was revoked since lives again, when', () => {
  const history: readonly Table[] = ['history', 'revision', 'revocation', 'watermark'];
  const limits = [
    { what: 'everything is put back', tables: undefined },
    { what: 'the head, the revisions, the revocations and the watermarks are put back', tables: history },
  ];

  test.each(limits)('$what; every running validator logs an error', async ({ tables }) => {
    const { attacker, scene } = its;
    const victim = await scene.victim();
    const before = await attacker.dump();
    await revocations.user(scene);
    await expectRefused([its.running], victim.token);
    const logged = await replacements();
    await attacker.putBack(before, tables);
    await expectActive(victim.token);
    await expect.poll(replacements).toBeGreaterThan(logged);
  });

  /** How often the validator has logged that the history is another one. */
  async function replacements(): Promise<number> {
    const log = await readFile(its.running.logFile, 'utf8');
    return log.split('the database tells another history').length - 1;
  }
});
