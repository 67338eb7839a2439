import { checkTopics, ensureTopics, type Topics } from '@touchstone/events';
import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { unique } from '../harness/world.ts';

const { kafkaBrokers: brokers } = inject('stack');
const connection = { brokers, clientId: 'test', log: () => {} };
const tooFew = /: it keeps \d of at least 3 copies|: what one broker alone has stored counts as stored/;

describe.skipIf(brokers.length === 0)('the topics on Kafka', () => {
  let admin: Admin;
  /** As many copies as the cluster can keep, up to three. */
  let copies: number;
  beforeAll(async () => {
    admin = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    copies = Math.min(3, (await admin.describeCluster()).brokers.length);
  });
  afterAll(async () => {
    await admin?.disconnect();
  });

  const newNames = (): Topics => ({ revocations: unique('revocations'), audit: unique('audit') });

  async function settingsOf(topic: string): Promise<Record<string, string>> {
    const { resources } = await admin.describeConfigs({
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
      includeSynonyms: false,
    });
    const entries = resources[0]?.configEntries ?? [];
    return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]));
  }

  /** The number of copies of each partition. */
  async function partitionsOf(topic: string): Promise<number[]> {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions.map(({ replicas }) => replicas.length) ?? [];
  }

  /** Makes a topic with these settings and with others that deserve no warning. */
  async function create(
    topic: string,
    { numPartitions = 1, replicationFactor = copies }: Partial<ITopicConfig>,
    settings: object,
  ): Promise<void> {
    const safe = { 'retention.ms': -1, 'retention.bytes': -1, 'min.insync.replicas': Math.min(2, copies) };
    const configEntries = Object.entries({ ...safe, ...settings }).map(([name, value]) => ({
      name,
      value: String(value),
    }));
    const config = { topic, numPartitions, replicationFactor, configEntries };
    await admin.createTopics({ topics: [config], waitForLeaders: false });
    // It takes a moment until the brokers know of it.
    await vi.waitFor(() => partitionsOf(topic), { timeout: 5_000 });
  }

  const kept = {
    'cleanup.policy': 'delete',
    'retention.bytes': '-1',
    'unclean.leader.election.enable': 'false',
    'max.message.bytes': String(10 * 1024 * 1024),
  };

  test('are made so that nothing is lost, also by several at once', async () => {
    const names = newNames();
    const made = await Promise.all([1, 2, 3].map(() => ensureTopics({ ...connection, topics: names })));
    expect(made.flat().sort()).toEqual(Object.values(names).sort());
    const inSync = { 'min.insync.replicas': String(Math.min(2, copies)) };
    expect(await partitionsOf(names.revocations)).toEqual([copies]);
    expect(await settingsOf(names.revocations)).toMatchObject({ ...kept, ...inSync, 'retention.ms': '-1' });
    expect(await partitionsOf(names.audit)).toEqual(Array(12).fill(copies));
    const tenYears = String(10 * 365 * 86_400_000);
    expect(await settingsOf(names.audit)).toMatchObject({ ...kept, ...inSync, 'retention.ms': tenYears });
  });

  test('deserve no warning as they are made, but where there are too few brokers', async () => {
    const names = newNames();
    await ensureTopics({ ...connection, topics: names });
    const warnings = await checkTopics({ ...connection, topics: names });
    expect(warnings.filter((one) => tooFew.test(one))).toHaveLength(copies === 3 ? 0 : copies === 2 ? 2 : 4);
    expect(warnings.filter((one) => !tooFew.test(one))).toEqual([]);
  });

  test('are left as they are where they exist, and the other one is made', async () => {
    const names = newNames();
    await create(names.audit, { numPartitions: 3 }, { 'retention.ms': 86_400_000 });
    const before = await settingsOf(names.audit);
    expect(await ensureTopics({ ...connection, topics: names })).toEqual([names.revocations]);
    expect(await settingsOf(names.audit)).toEqual(before);
    expect(await partitionsOf(names.audit)).toHaveLength(3);
    expect(await partitionsOf(names.revocations)).toHaveLength(1);
  });

  test('are warned about where they do not exist', async () => {
    const names = newNames();
    const all = await checkTopics({ ...connection, topics: names });
    expect(all).toEqual([`topic ${names.revocations} does not exist`, `topic ${names.audit} does not exist`]);
  });

  const day = 86_400_000;
  const unclean = { 'unclean.leader.election.enable': true };
  const uncleanWarning = 'a broker that missed events may lead it: set unclean.leader.election.enable=false';
  const sizeWarning = 'it forgets events beyond a size: set retention.bytes=-1';
  const bytesWarning = 'it may not take the batches of a backlog: set max.message.bytes=10485760';
  const policyWarning = (policy: string) => `its cleanup.policy is ${policy}, which removes events: set it to delete`;

  test.each<[role: keyof Topics, settings: object, warning: string, numPartitions?: number]>([
    ['revocations', unclean, uncleanWarning],
    ['revocations', { 'cleanup.policy': 'compact' }, policyWarning('compact')],
    ['revocations', { 'retention.bytes': 1_000_000 }, sizeWarning],
    ['revocations', { 'retention.ms': 400 * day }, 'it forgets revisions after 400.0 days: set retention.ms=-1'],
    ['revocations', {}, 'it has 2 partitions, and only the first is used: set it up anew with one', 2],
    [
      'revocations',
      { 'compression.type': 'lz4' },
      'what is compressed by lz4 is not read: set compression.type=producer',
    ],
    ['revocations', { 'max.message.bytes': 500_000 }, bytesWarning],
    ['audit', unclean, uncleanWarning],
    ['audit', { 'max.message.bytes': 1_000_000 }, bytesWarning],
    ['audit', { 'cleanup.policy': 'compact,delete' }, policyWarning('compact,delete')],
    ['audit', { 'retention.bytes': 1_000_000 }, sizeWarning],
    [
      'audit',
      { 'retention.ms': 7 * day },
      'it forgets audit events after 7.0 days: raise retention.ms, or set it to -1',
    ],
  ])('are warned about, of %s with %j: %s', async (role, settings, warning, numPartitions = 1) => {
    const names = newNames();
    await create(names[role], { numPartitions }, settings);
    await ensureTopics({ ...connection, topics: names });
    const warnings = await checkTopics({ ...connection, topics: names });
    expect(warnings.filter((one) => !tooFew.test(one))).toEqual([`topic ${names[role]}: ${warning}`]);
  });

  test('that keep one copy, or count one as enough, are warned about', async () => {
    const names = newNames();
    await create(names.audit, { replicationFactor: 1 }, { 'min.insync.replicas': 1 });
    const warnings = await checkTopics({ ...connection, topics: names });
    expect(warnings).toContain(
      `topic ${names.audit}: it keeps 1 of at least 3 copies: raise its replication factor, on as many brokers`,
    );
    expect(warnings).toContain(
      `topic ${names.audit}: what one broker alone has stored counts as stored: set min.insync.replicas=2`,
    );
  });
});
