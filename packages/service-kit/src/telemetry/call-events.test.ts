import { InvalidField } from '@touchstone/core';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { caller } from '../test-service.ts';
import { type CallRecord, callEvents } from './call-events.ts';
import { openMetrics } from './metrics.ts';

const call: CallRecord = {
  method: 'touchstone.v1.ValidatorService/ValidateToken',
  peer: '10.0.0.1:1',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  caller,
  endedAt: 1_767_225_600_000,
  milliseconds: 1.234,
};

function open() {
  const lines: { code: string; ms: number }[] = [];
  const logger = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const metrics = openMetrics('validator');
  return { lines, metrics, events: callEvents(logger, metrics) };
}

test('a call that was answered is in the log soon after, without anybody asking', async () => {
  const { lines, events } = open();
  events.answered(call);
  await vi.waitUntil(() => lines.length === 1, { timeout: 1_000 });
  expect(lines).toEqual([expect.objectContaining({ code: 'OK', ms: 1.23, caller: 'resource_server:orders' })]);
});

test('the log is in the order of the calls, and none is missing when a service ends', () => {
  const { lines, events } = open();
  for (let ms = 0; ms < 1_000; ms++) {
    if (ms === 100) events.failed({ ...call, milliseconds: ms }, new InvalidField('token', 'must be one'));
    else events.answered({ ...call, milliseconds: ms });
  }
  events.flush();
  expect(lines.map(({ ms }) => ms)).toEqual(Array.from({ length: 1_000 }, (_, ms) => ms));
  expect(lines.filter(({ code }) => code !== 'OK')).toEqual([
    expect.objectContaining({ code: 'INVALID_FIELD', ms: 100 }),
  ]);
});

test('whoever reads the metrics reads of every call that has ended', async () => {
  const { metrics, events } = open();
  for (const count of [1, 2]) {
    events.answered(call);
    expect(await metrics.text()).toMatch(
      new RegExp(`touchstone_call_seconds_count{[^}]*outcome="OK"[^}]*} ${count}\n`),
    );
  }
});
