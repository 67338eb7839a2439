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
  expect(message).toContain("DATABASE_URL is missing: PostgreSQL's URL");
  expect(message).not.toContain('hunter2');
});

test('a fence lasts longer than it is from one commit to the census to the next', () => {
  expect(readSettings(settings, { ...given, FENCE_MILLISECONDS: '2000' }).FENCE_MILLISECONDS).toBe(2_000);
  expect(() => readSettings(settings, { ...given, FENCE_MILLISECONDS: '1999' })).toThrow('FENCE_MILLISECONDS');
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

test.each([
  'none',
  'host=db user=user password=hunter2',
  'mysql://user:hunter2@db/touchstone',
  'postgres:user:hunter2@db/touchstone',
  'postgres://user:hunter2#1@db/touchstone',
  'postgres://user:hunter2/1@db/touchstone',
  'postgres://user:hunter2?1@db/touchstone',
  'postgres://user:hunter2@db:port/touchstone',
  'postgres://user:hunter2@db:5432,other:5432/touchstone',
])('what is no URL of a database is refused, and not taken for a server that does not answer: %s', (DATABASE_URL) => {
  const read = () => readSettings(settings, { ...given, DATABASE_URL });
  expect(read).toThrow(SettingsWrong);
  expect(read).toThrow('DATABASE_URL: must be a postgres:// URL');
  expect(read).not.toThrow('hunter2');
});

test.each([
  'postgres://user:hunter2%231@db:5432/touchstone?sslmode=verify-full&sslrootcert=/ca.pem',
  'postgresql://user@[::1]/touchstone',
  'postgres:///touchstone?host=/var/run/postgresql',
  'postgres://user:hunter2@/touchstone?host=/var/run/postgresql',
  'postgres://user@%2Fvar%2Frun%2Fpostgresql/touchstone',
])('a database may be reached by %s', (DATABASE_URL) => {
  expect(readSettings(settings, { ...given, DATABASE_URL }).DATABASE_URL).toBe(DATABASE_URL);
});

test.each([
  ['neither', {}, 'MASTER_KEY_FILE or AWS_KMS_KEY_ID is missing'],
  [
    'neither but a former one',
    { FORMER_MASTER_KEY_FILE: '/keys/former' },
    'MASTER_KEY_FILE or AWS_KMS_KEY_ID is missing',
  ],
  [
    'both',
    { MASTER_KEY_FILE: '/keys/hunter2', AWS_KMS_KEY_ID: 'hunter2' },
    'MASTER_KEY_FILE and AWS_KMS_KEY_ID are both',
  ],
])('of a master key and a key of KMS one is given: %s is told beside what else is wrong', (_, keys, message) => {
  const read = () => readSettings(settings, { ...keys, FENCE_MILLISECONDS: '0' });
  expect(read).toThrow(SettingsWrong);
  for (const part of [message, 'FENCE_MILLISECONDS', 'DATABASE_URL is missing']) expect(read).toThrow(part);
  expect(read).not.toThrow('hunter2');
});

test('a key of KMS stands for a master key, and empty settings for none', () => {
  const { DATABASE_URL } = given;
  const kms = { DATABASE_URL, MASTER_KEY_FILE: '', AWS_KMS_KEY_ID: 'key', AWS_KMS_ENDPOINT: 'http://127.0.0.1:4566' };
  expect(readSettings(settings, kms)).toMatchObject({ MASTER_KEY_FILE: '', AWS_KMS_KEY_ID: 'key' });
  expect(() => readSettings(settings, { ...kms, AWS_KMS_ENDPOINT: 'hunter2' })).toThrow('AWS_KMS_ENDPOINT');
});

test('every setting is described', () => {
  for (const { name, description } of describeSettings(settings)) expect(description, name).not.toBe('');
});
