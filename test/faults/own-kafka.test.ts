import { afterEach, expect, test, vi } from 'vitest';
import { ownKafka } from './own-kafka.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** A machine without Java, on which there is a Kafka elsewhere. */
function withoutJava(): void {
  vi.stubEnv('JAVA_HOME', '/nowhere');
  vi.stubEnv('KAFKA_BROKERS', '127.0.0.1:9092');
}

test('in CI, tests that cannot have a Kafka of their own fail, and say why', async () => {
  withoutJava();
  vi.stubEnv('CI', 'true');
  await expect(ownKafka('relay-killed')).rejects.toThrow(/relay-killed needs a Kafka of its own: .*Java/);
});

test('elsewhere they are skipped, and are named', async () => {
  withoutJava();
  vi.stubEnv('CI', '');
  const warn = vi.spyOn(console, 'warn').mockReturnValue();
  expect(await ownKafka('relay-killed')).toBe(false);
  expect(warn).toHaveBeenCalledWith(expect.stringMatching(/^relay-killed is skipped.*Java/));
});
