import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type KmsFault, stubCredentials, TestKms, testRegion } from '../test-kms.ts';
import { type AwsKmsKey, awsKmsKeyEncryption } from './aws-kms-key-encryption.ts';
import { fileKeyEncryption } from './file-key-encryption.ts';
import { describeKeyEncryption, expectNothingOf } from './key-encryption.contract.ts';
import { KeyEncryptionFailed } from './key-encryption.ts';

const context = 'touchstone data key signing 1';
const key = Buffer.from('jumping foxes quiz black wizards');

describeKeyEncryption('file', (number) => fileKeyEncryption(Buffer.alloc(32, number)));

test('the id of a master key is the same in every version', () => {
  expect(fileKeyEncryption(Buffer.alloc(32, 1)).id).toBe('file:a94d681909abf69b');
});

describe('AWS KMS', () => {
  let kms: TestKms;
  let keyIds: Record<1 | 2, string>;
  beforeAll(async () => {
    stubCredentials();
    kms = await TestKms.start();
    keyIds = { 1: kms.createKey(), 2: kms.createKey() };
  });
  afterEach(() => {
    kms.faults.length = 0;
    stubCredentials();
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await kms[Symbol.asyncDispose]();
  });

  const open = (over: Partial<AwsKmsKey> = {}, requestMilliseconds = 5_000) =>
    awsKmsKeyEncryption(
      { keyId: keyIds[1], region: testRegion, endpoint: kms.endpoint, ...over },
      { connectMilliseconds: 5_000, requestMilliseconds, attemptsMax: 2 },
    );
  const always = (fault: KmsFault) => kms.faults.push(fault, fault);
  const failure = async (asked: Promise<Buffer>): Promise<KeyEncryptionFailed> => {
    const error = await asked.catch((error: unknown) => error);
    if (!(error instanceof KeyEncryptionFailed)) throw new Error('it did not fail as it should');
    return error;
  };

  describeKeyEncryption('AWS KMS', (number) =>
    awsKmsKeyEncryption({ keyId: keyIds[number], region: testRegion, endpoint: kms.endpoint }),
  );

  test('its id names the key of KMS', () => {
    expect(open().id).toBe(`aws-kms:${keyIds[1]}`);
  });

  test.each(['away', 'slow', 'ThrottlingException'] as const)('what is %s once is asked again', async (fault) => {
    const encryption = open({}, fault === 'slow' ? 500 : 5_000);
    kms.faults.push(fault);
    expect(await encryption.unwrap(await encryption.wrap(key, context), context)).toEqual(key);
  });

  test.each([
    ['away', 'cannot be reached (ECONNRESET)'],
    ['slow', 'did not answer in time'],
    ['garbled', 'the answer is none of KMS'],
    ['empty', 'holds no key'],
    ['AccessDeniedException', 'allow them kms:Encrypt and kms:Decrypt'],
    ['DisabledException', 'enable it'],
    ['KMSInvalidStateException', 'to be deleted'],
    ['ExpiredTokenException', 'have expired'],
    ['ThrottlingException', 'too many requests'],
    ['SomeOtherException', 'SomeOtherException'],
  ] as const)('where KMS is %s, the message says what to do, and nothing of the key', async (fault, message) => {
    const wrapped = await open().wrap(key, context);
    const encryption = open({}, fault === 'slow' ? 100 : 5_000);
    for (const [doing, ask] of [
      ['wrapped', () => encryption.wrap(key, context)],
      ['unwrapped', () => encryption.unwrap(wrapped, context)],
    ] as const) {
      always(fault);
      const error = await failure(ask());
      expect(error.message).toContain(`${encryption.id}: a data key cannot be ${doing}: `);
      expect(error.message).toContain(message);
      expectNothingOf(key, error);
    }
  });

  test('a denial is not asked again, and is the cause of the failure', async () => {
    always('AccessDeniedException');
    const before = kms.asked;
    const { cause } = await failure(open().wrap(key, context));
    expect(cause).toMatchObject({ name: 'AccessDeniedException' });
    expect(kms.asked).toBe(before + 1);
  });

  test('a key that is not there, no credentials, no region and an endpoint where nobody listens are told apart', async () => {
    expect((await failure(open({ keyId: 'absent' }).wrap(key, context))).message).toContain('no such key');
    expect((await failure(open({ region: undefined }).wrap(key, context))).message).toContain('Region is missing');
    expect((await failure(open({ endpoint: await unusedEndpoint() }).wrap(key, context))).message).toContain(
      'ECONNREFUSED',
    );
    stubCredentials({});
    expect((await failure(open().wrap(key, context))).message).toContain('there are no AWS credentials');
  });
});

async function unusedEndpoint(): Promise<string> {
  await using closed = await TestKms.start();
  return closed.endpoint;
}
