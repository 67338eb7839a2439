import kafkajs, { type ICustomPartitioner } from 'kafkajs';

/**
 * Chooses a partition for each message once, and notes it. When something goes wrong kafkajs asks again for all messages of a
 * batch, and sends nothing more to brokers that have answered: where the topic has got more partitions meanwhile, a message
 * could go to one of theirs, and be taken for stored.
 */
export function choosingOnce(chosen: Map<object, number>): ICustomPartitioner {
  return () => {
    const choose = kafkajs.Partitioners.DefaultPartitioner();
    return (one) => {
      const partition = chosen.get(one.message) ?? choose(one);
      chosen.set(one.message, partition);
      return partition;
    };
  };
}
