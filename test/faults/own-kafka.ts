import { kafkaAvailable } from '@touchstone/local-stack';
import { kafkaForTests } from '../harness/shared-stack.ts';

/** Whether these tests can have a Kafka of their own: the one in the environment is not theirs to break. */
export async function ownKafka(): Promise<boolean> {
  return (await kafkaForTests()) !== null && (await kafkaAvailable()).ok;
}
