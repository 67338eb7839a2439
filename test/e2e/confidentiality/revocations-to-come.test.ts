import { expect, test } from 'vitest';
import { openDatabaseClock } from '../../harness/database-clock.ts';
import { bootstrapped } from '../../harness/world.ts';
import { deceptions, limits, type NamedDeception } from './deceptions.ts';
import { judging } from './judging.ts';
import { held, outcomeOf } from './scene.ts';

// Somebody may write anything to the database, but has not the master key; he knows that he is about to be found out.
const its = judging();
const { expectActive, expectRefused, withFresh } = its;

async function expectTaken(deception: NamedDeception): Promise<void> {
  const { own, attacker, abroad } = its;
  const scene = await its.openScene();
  const both = await bootstrapped(own.shared, [scene.tenantId, abroad.tenantId]);
  const at = { attacker, scene, abroad, both, victim: await scene.victim() };
  await expectActive(at.victim.token, scene);
  const survivor = (await deception.prepare(at)) ?? at.victim;
  const outcome = await outcomeOf(deception.revoke(at));
  await deception.putRight(at);
  // A failure is no success of his: whoever revokes learns of it.
  if (outcome === 'done') await withFresh((validators) => expectRefused(validators, survivor.token, scene));
  await expectActive((await abroad.victim()).token, abroad);
}

test.each(deceptions)('a revocation that returns takes the token, or it fails, although before $name', expectTaken);
test.fails.each(limits)('known limit (docs/decisions/0002): it misses the token when before $name', expectTaken);

test.fails('known limit (docs/decisions/0002): an expired token is alive when the database tells another time', async () => {
  const { own, scene } = its;
  const token = held(await scene.issue({ ttl: { seconds: 1n } }));
  await expectActive(token.token);
  await expect
    .poll(() => its.verdicts([its.running], token.token), { timeout: 5_000 })
    .not.toContainEqual(expect.objectContaining({ active: true }));
  const clock = await openDatabaseClock(own.stack.postgres.adminUrl);
  await clock.set(-3_600_000);
  try {
    await withFresh((validators) => expectRefused(validators, token.token));
  } finally {
    await clock.set(0);
  }
});
