import { expect, test } from 'vitest';
import { postgresSettings, settingArguments } from './postgres-settings.ts';

const gibibyte = 1024 ** 3;

test.each([
  [1, '256MB'],
  [4, '512MB'],
  [64, '1024MB'],
])('a machine of %i GiB gives Postgres a cache of %s', (gibibytes, cache) => {
  expect(postgresSettings(5432, gibibytes * gibibyte)).toMatchObject({ shared_buffers: cache });
});

test('settings become arguments', () => {
  expect(settingArguments({ port: '1', jit: 'off' })).toEqual(['-c', 'port=1', '-c', 'jit=off']);
});
