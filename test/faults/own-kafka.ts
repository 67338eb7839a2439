import { kafkaAvailable } from '@touchstone/local-stack';

/**
 * Whether tests can have a Kafka of their own: the one in the environment is not theirs to break. Where they can't, it
 * says which are skipped and why - or, in CI, fails with that.
 */
export async function ownKafka(suite: string): Promise<boolean> {
  const available = await kafkaAvailable();
  if (available.ok) return true;
  if (process.env.CI === 'true') throw new Error(`${suite} needs a Kafka of its own: ${available.why}`);
  console.warn(`${suite} is skipped, for it needs a Kafka of its own: ${available.why}`);
  return false;
}
