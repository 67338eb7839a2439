import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commonSettings, describeSettings, readSettings, SettingsWrong } from './settings.ts';

const settings = commonSettings('ISSUER', 7001, 7011);
const given = { DATABASE_URL: 'postgres://user:hunter2@db/touchstone', MASTER_KEY_FILE: '/keys/master' };

test('what is not given has its default', () => {
  expect(readSettings(settings, given)).toMatchObject({ ISSUER_GRPC_PORT: 7001, KAFKA_BROKERS: [], LOG_LEVEL: 'info' });
  expect(readSettings(settings, { ...given, KAFKA_BROKERS: 'a:1, b:2,' }).KAFKA_BROKERS).toEqual(['a:1', 'b:2']);
});

test('every wrong setting is named, with what would be right and without its value', () => {
  const wrong = {
    ISSUER_GRPC_PORT: '70000',
    FENCE_MILLISECONDS: 'hunter2',
    LOG_LEVEL: 'hunter2',
    MASTER_KEY_FILE: '/k',
  };
  let message = '';
  try {
    readSettings(settings, wrong);
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsWrong);
    message = (error as Error).message;
  }
  for (const name of ['ISSUER_GRPC_PORT', 'FENCE_MILLISECONDS', 'LOG_LEVEL']) expect(message).toContain(name);
  expect(message).toContain('DATABASE_URL is missing');
  expect(message).not.toContain('hunter2');
});

test('a secret can be a file, whose absence is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'touchstone-settings-'));
  const file = join(folder, 'url');
  writeFileSync(file, `${given.DATABASE_URL}\n`);
  const { MASTER_KEY_FILE } = given;
  expect(readSettings(settings, { MASTER_KEY_FILE, DATABASE_URL_FILE: file }).DATABASE_URL).toBe(given.DATABASE_URL);
  rmSync(folder, { recursive: true });
  expect(() => readSettings(settings, { MASTER_KEY_FILE, DATABASE_URL_FILE: file })).toThrow('DATABASE_URL_FILE');
});

test('every setting is described', () => {
  for (const { name, description } of describeSettings(settings)) expect(description, name).not.toBe('');
});
