import type { KMS } from '@aws-sdk/client-kms';
import { causeOf, reasonOf } from './aws-kms-errors.ts';
import { type KeyEncryption, KeyEncryptionFailed } from './key-encryption.ts';

/** A symmetric key in AWS KMS. */
export interface AwsKmsKey {
  /** Its ARN or id. An alias works until it is pointed elsewhere: what was wrapped before can't be unwrapped then. */
  readonly keyId: string;
  /** Absent: the one that the SDK finds in the environment or the profile. */
  readonly region?: string | undefined;
  /** A URL. Absent: AWS's own for the region. */
  readonly endpoint?: string | undefined;
}

/** How long KMS may take for one attempt, and how many there are. */
export interface AwsKmsLimits {
  readonly connectMilliseconds: number;
  readonly requestMilliseconds: number;
  readonly attemptsMax: number;
}

const defaultLimits: AwsKmsLimits = { connectMilliseconds: 2_000, requestMilliseconds: 5_000, attemptsMax: 3 };

/**
 * Wraps data keys by AWS KMS, which never gives its own key out. The credentials are those that the SDK finds. It is loaded
 * when it is first asked: an idle process with it takes 25 MB more.
 */
export function awsKmsKeyEncryption(key: AwsKmsKey, limits: AwsKmsLimits = defaultLimits): KeyEncryption {
  const id = `aws-kms:${key.keyId}`;
  let opening: Promise<KMS> | undefined;
  async function ask(doing: string, question: (kms: KMS) => Promise<Uint8Array | undefined>): Promise<Buffer> {
    try {
      opening ??= openKms(key, limits);
      const answer = await question(await opening);
      if (!answer) throw new Error('its answer holds no key');
      return Buffer.from(answer);
    } catch (error) {
      throw new KeyEncryptionFailed(`${id}: a data key cannot be ${doing}: ${reasonOf(error)}`, causeOf(error));
    }
  }
  // The key is named for decryption too, or KMS would take what any other key encrypted that the caller may use.
  const under = (context: string) => ({ KeyId: key.keyId, EncryptionContext: { touchstone: context } });
  return {
    id,
    wrap: (plain, context) =>
      ask('wrapped', async (kms) => (await kms.encrypt({ ...under(context), Plaintext: plain })).CiphertextBlob),
    unwrap: (wrapped, context) =>
      ask('unwrapped', async (kms) => (await kms.decrypt({ ...under(context), CiphertextBlob: wrapped })).Plaintext),
  };
}

async function openKms({ region, endpoint }: AwsKmsKey, limits: AwsKmsLimits): Promise<KMS> {
  const { KMS } = await import('@aws-sdk/client-kms');
  return new KMS({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: limits.attemptsMax,
    requestHandler: {
      connectionTimeout: limits.connectMilliseconds,
      requestTimeout: limits.requestMilliseconds,
      // Otherwise the SDK only warns, and waits on.
      throwOnRequestTimeout: true,
    },
  });
}
