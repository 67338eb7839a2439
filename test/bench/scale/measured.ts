import type { Stack } from '@touchstone/local-stack';
import type { Bench } from '../measure.ts';
import { measureRevokeAll, type RevokedAll } from '../revoke-all.ts';
import { seedTokens } from '../seed.ts';
import type { Facts, Setup } from '../setup.ts';
import { copyRecords } from './copies.ts';
import { type CrowdResults, type CrowdSize, measureCrowds } from './crowd-rows.ts';
import { type Member, registerApps } from './members.ts';
import { measurePropagation, openValidators, type Propagation } from './propagation.ts';
import { makeMarks, measureStarts, type Started } from './starts.ts';

/** How much there is to be. */
export interface Size extends CrowdSize {
  readonly fewRecords: number;
  readonly records: number;
  readonly marks: number;
  /** By each call, on each way. */
  readonly revocations: number;
}

/** All that is measured. */
export interface ScaleResults extends CrowdResults {
  readonly propagations: readonly Propagation[];
  readonly starts: Readonly<Record<'few' | 'many' | 'marked', Started>>;
  /** In each round, one after the other. */
  readonly revokedAll: readonly { readonly few: RevokedAll; readonly many: RevokedAll }[];
}

const revokeAllRounds = 3;
const appsCount = 101;
/** Of the records, so many have tokens: the others are copies of them. */
const tokensCount = 1_000;
/** What there is at most where revocations go through Kafka, which is no matter of how much there is. */
const kafkaRecordsMax = 1_000_000;

/** Measures everything, and checks between that the answers are right. @throws WrongAnswer */
export async function measureScale(setup: Setup, size: Size): Promise<{ facts: Facts; results: ScaleResults }> {
  const throughKafka = await propagationsThroughKafka(setup, size);
  await using few = await setup.start('few', false);
  await using many = await setup.start('many', false);
  const fewBench = { ...setup, postgresPid: few.postgres.pid };
  const manyBench = { ...setup, postgresPid: many.postgres.pid };
  await fill(setup, few, size.fewRecords);
  const apps = await fill(setup, many, size.records);

  const starts = await measureStarts(setup, { few, many });
  const revokedAll: { few: RevokedAll; many: RevokedAll }[] = [];
  for (let round = 0; round < revokeAllRounds; round++) {
    revokedAll.push({
      few: await measureRevokeAll(fewBench, few, size.fewRecords),
      many: await measureRevokeAll(manyBench, many, size.records),
    });
  }
  // Not before: among what it revokes is everything.
  const throughPostgres = await propagationsThroughPostgres(setup, many, size.revocations);
  const crowds = await measureCrowds(manyBench, many, apps, size);
  await makeMarks(fewBench, few, size.marks);
  const { marked } = await measureStarts(setup, { marked: few });
  const propagations = [...throughKafka, ...throughPostgres];
  return {
    facts: { ...(await setup.factsOf(many)), ...size },
    results: { propagations, starts: { ...starts, marked }, revokedAll, ...crowds },
  };
}

async function propagationsThroughKafka(setup: Setup, { records, revocations }: Size): Promise<Propagation[]> {
  await using stack = await setup.start('kafka', true);
  await fill(setup, stack, Math.min(records, kafkaRecordsMax));
  await using validators = await openValidators(stack);
  const both = await measurePropagation(setup, stack, validators, { by: 'Kafka and Postgres', revocations });
  const options = { by: 'Kafka', revocations, withoutNotifications: true };
  return [...both, ...(await measurePropagation(setup, stack, validators, options))];
}

async function propagationsThroughPostgres(setup: Setup, stack: Stack, revocations: number): Promise<Propagation[]> {
  await using validators = await openValidators(stack);
  return await measurePropagation(setup, stack, validators, { by: 'Postgres alone', revocations });
}

/** Makes so many live records, all of the first of the apps that are returned. @throws WrongAnswer */
async function fill(bench: Pick<Bench, 'signal' | 'onProgress'>, stack: Stack, records: number): Promise<Member[]> {
  const apps = await registerApps(stack, appsCount);
  const holders = apps.slice(0, 1);
  await seedTokens(bench, stack, tokensCount, { holders });
  await copyRecords(bench, stack, records - tokensCount, holders[0] as Member);
  return apps;
}
