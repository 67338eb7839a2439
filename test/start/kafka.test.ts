import { kafkaAvailable } from '@touchstone/local-stack';
import { Kafka, logLevel } from 'kafkajs';
import { expect, test } from 'vitest';
import { until } from '../faults/until.ts';
import { issue } from './calls.ts';
import { localJson, npmStart, openPlace, pressCtrlC } from './npm-start.ts';

const available = await kafkaAvailable();

test.runIf(available.ok || process.env.CI === 'true')('--kafka starts a Kafka that is told of every act', async () => {
  await using place = await openPlace();
  await using run = npmStart(place, '--kafka');
  await run.untilUp();
  const local = await localJson(place);
  expect(local.kafka).toEqual([`127.0.0.1:${place.ports.KAFKA_PORT}`]);

  const { tokenId } = await issue(local, local.identity_token);
  const consumer = new Kafka({ brokers: [...(local.kafka ?? [])], logLevel: logLevel.NOTHING }).consumer({
    groupId: 'a-test',
    maxWaitTimeInMs: 100,
  });
  const messages: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic: 'touchstone.audit.v1', fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => void messages.push(message.value?.toString('latin1') ?? ''),
  });
  await until('the event is on the topic', () => messages.find((message) => message.includes(tokenId)));
  await consumer.disconnect();

  await run.processes();
  pressCtrlC(run);
  await run.untilNothingIsLeft();
});

test.runIf(available.ok)('Ctrl-C while Kafka starts leaves nothing running', async () => {
  await using place = await openPlace();
  await using run = npmStart(place, '--kafka');
  await run.untilSaid('Starting Kafka');
  pressCtrlC(run);
  await run.exited;
  await run.untilNothingIsLeft();
});
