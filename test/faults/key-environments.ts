import { createMasterKeyFile } from '@touchstone/token-methods';
import type { TestKms } from '@touchstone/token-methods/test-kms';

type Environment = Readonly<Record<string, string>>;

/** How a key encryption is given to services and to the touchstone command. */
export interface KeyEnvironment {
  /** As the one that wraps data keys. */
  readonly current: Environment;
  /** As the one that wrapped them before, beside another. */
  readonly former: Environment;
}

/** A new master key. */
export async function newMasterKey(path: string): Promise<KeyEnvironment> {
  await createMasterKeyFile(path);
  return masterKeyIn(path);
}

export const masterKeyIn = (path: string): KeyEnvironment => ({
  current: { MASTER_KEY_FILE: path },
  former: { FORMER_MASTER_KEY_FILE: path },
});

/** A new key of KMS. */
export function newKmsKey(kms: TestKms): KeyEnvironment {
  const keyId = kms.createKey();
  const shared = { ...kms.environment, AWS_KMS_ENDPOINT: kms.endpoint };
  return {
    current: { ...shared, MASTER_KEY_FILE: '', AWS_KMS_KEY_ID: keyId },
    former: { ...shared, FORMER_AWS_KMS_KEY_ID: keyId },
  };
}
