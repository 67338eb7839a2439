import { type AssertionTaker, gather, type ProofTaker, type TakenAssertion } from '@touchstone/core';
import type { Database } from './database.ts';
import { deleteSpent } from './spent-rows.ts';

/** Milliseconds either way between when a DPoP proof says it was made and the database's clock. */
const window = 60_000;

/** In one order, so that two who take the same ones at once don't wait for each other. */
const takeStatement = `
  insert into dpop_proof (hash, expires_at)
  select p.hash, to_timestamp(p.good_until / 1000.0)
    from json_to_recordset($1) as p (hash bytea, good_from bigint, good_until bigint)
   where extract(epoch from now()) * 1000 between p.good_from and p.good_until
     and to_timestamp(p.good_until / 1000.0) > (select until from proof_spent)
   order by p.hash
  on conflict do nothing
  returning encode(hash, 'hex')`;

/** Takes DPoP proofs. */
export function proofTaker(database: Database): ProofTaker {
  const { take } = assertionTaker(database);
  return {
    take: ({ hash, issuedAt }, signal) => take({ hash, from: issuedAt - window, until: issuedAt + window }, signal),
  };
}

/** Takes what is good once, gathered; each is answered once that is safe wherever a commit must be. */
export function assertionTaker(database: Database): AssertionTaker {
  async function takeAll(proofs: readonly TakenAssertion[]): Promise<boolean[]> {
    const fields = proofs.map(({ hash, from, until }) => ({ hash: `\\x${hash}`, good_from: from, good_until: until }));
    const rows = await database.write({ name: 'take', text: takeStatement, values: [JSON.stringify(fields)] });
    const taken = new Set(rows.map(([hash]) => hash));
    // Of two alike in one batch the first has it.
    return proofs.map(({ hash }) => taken.delete(hash));
  }
  return { take: gather(takeAll, { batchMax: 500, lanes: 2, waitingMax: 20_000 }) };
}

/** A statement that is under way may have begun when its proof was fresh; it ends long before. */
const slack = `interval '1 minute'`;

/** Before any is deleted: from then on none of them is taken, whatever the clock says. */
const spendStatement = `
  update proof_spent set until = spent.until
    from (select max(expires_at) as until from dpop_proof
           where expires_at < least(now(), to_timestamp($1 / 1000.0)) - ${slack}) spent
   where spent.until > proof_spent.until`;

/**
 * Deletes the proofs and assertions that would not be fresh any more. For the role touchstone_upkeep.
 *
 * @param wallNow milliseconds since 1970: what only the database's clock takes for spent is kept, for others of that time would
 *   be refused as well once that clock is put right.
 */
export async function deleteSpentProofs(database: Database, wallNow: number): Promise<void> {
  await database.query({ text: spendStatement, values: [wallNow] });
  await deleteSpent(database, 'dpop_proof', 'hash', 'expires_at <= (select until from proof_spent)', []);
}
