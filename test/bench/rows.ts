import type { Stack } from '@touchstone/local-stack';
import { requireHonoured, requireIssued, requireRefused, requireRemembered, requireRevokeAllHolds } from './checks.ts';
import { type Compared, compare } from './compare.ts';
import { batchSize, few, healthLoad, issueLoads, revokeLoad, type Shape, single, validateLoads } from './loads.ts';
import type { Bench, Load } from './measure.ts';
import { checkpoint, measureRevokeAll, type RevokedAll } from './revoke-all.ts';
import { seedTokens } from './seed.ts';
import type { Results } from './targets.ts';
import { shuffled, type Tokens } from './tokens.ts';

/** The rows that are held to a share of the null RPC are measured so often, by turns with it. */
const roundsOfTargets = 7;
/** What is revoked can't be revoked again: there are only so many records. */
const roundsOfRevoking = 3;
const fewRecords = 1_000;
/** A second, while tokens are revoked. */
const validatedBeside = 500;
/** Of what a run has revoked, so many are shown to be. */
const sampleSize = 500;

/** Measures everything, and checks between that the answers are right. @throws WrongAnswer */
export async function measureRows(
  bench: Bench,
  stack: Stack,
  records: number,
): Promise<Omit<Results, 'idleMebibytes'>> {
  const one = (name: string, load: Load) => compare(bench, { name, load, tokensPerCall: 1, rounds: roundsOfTargets });
  const inBatches = (name: string, load: Load, rounds = 1) =>
    compare(bench, { name: `${name} of ${batchSize}`, load, tokensPerCall: batchSize, rounds });

  // Next to each other, so that they find the machine alike; what was seeded for them is dead afterwards.
  const revokeAllFew = await revokeAll(bench, stack, fewRecords);
  const revokeAllMany = await revokeAll(bench, stack, records);

  const tokens = await seed(bench, stack, records);
  const health = await one('Health check', healthLoad(stack));
  const validateLoad = validateLoads(stack, tokens);
  const validate = await one('ValidateToken', validateLoad.one);
  const validateShared = await compare(bench, {
    name: 'ValidateToken, 4 calls a connection',
    load: validateLoad.shared,
    nullShape: validateLoad.shared,
    tokensPerCall: 1,
    rounds: 1,
  });
  const validateBatch = await inBatches('BatchValidateTokens', validateLoad.batch, roundsOfTargets);
  const validateCached = await one('ValidateToken, from cache', validateLoad.cached);
  const validateCachedBatch = await inBatches(
    'BatchValidateTokens, from cache,',
    validateLoad.cachedBatch,
    roundsOfTargets,
  );
  await requireRemembered(stack, validateLoad.remembered);
  await requireHonoured(stack, tokens);
  const issueLoad = issueLoads(stack);
  const issue = await one('IssueToken', issueLoad.one);
  const issueBatch = await inBatches('BatchIssueTokens', issueLoad.batch);
  await requireIssued(stack);
  const revoke = await revokeOneByOne(bench, stack, tokens, 'RevokeToken', single);
  const beside = { load: { ...validateLoad.cached, ...few }, rate: validatedBeside };
  const revokeFew = await revokeOneByOne(
    bench,
    stack,
    tokens,
    `RevokeToken, 64 callers on 4 connections, beside ${validatedBeside} validations/s`,
    { ...few, beside },
  );
  return {
    health,
    validate,
    validateShared,
    validateBatch,
    validateCached,
    validateCachedBatch,
    issue,
    issueBatch,
    revoke,
    revokeFew,
    revokeAllFew,
    revokeAllMany,
  };
}

async function seed(bench: Bench, stack: Stack, count: number): Promise<Tokens> {
  const tokens = shuffled(await seedTokens(bench, stack, count, { holders: [stack.demo] }));
  await requireHonoured(stack, tokens);
  return tokens;
}

async function revokeOneByOne(
  bench: Bench,
  stack: Stack,
  tokens: Tokens,
  name: string,
  how: Shape & Pick<Load, 'beside'>,
): Promise<Compared> {
  const revoked: string[] = [];
  await checkpoint(stack.postgres.adminUrl);
  const load = revokeLoad(stack, tokens, how, (some) => revoked.push(...some.slice(0, sampleSize)));
  const compared = await compare(bench, {
    name,
    load,
    nullShape: { concurrency: how.concurrency, connections: how.connections },
    tokensPerCall: 1,
    rounds: how.beside ? roundsOfRevoking : 1,
  });
  await requireRefused(stack, revoked);
  return compared;
}

async function revokeAll(bench: Bench, stack: Stack, records: number): Promise<RevokedAll> {
  const tokens = await seed(bench, stack, records);
  const measured = await measureRevokeAll(bench, stack, records);
  await requireRefused(stack, tokens.draw(sampleSize));
  await requireRevokeAllHolds(stack);
  return measured;
}
