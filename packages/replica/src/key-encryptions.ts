import {
  awsKmsKeyEncryption,
  fileKeyEncryption,
  type KeyEncryption,
  readMasterKeyFile,
} from '@touchstone/token-methods';

/** The settings that say what wraps data keys: one of the first two, and what wrapped them before. Absent or empty: none. */
export interface KeyEncryptionConfig {
  readonly MASTER_KEY_FILE?: string;
  /** Its id or ARN. */
  readonly AWS_KMS_KEY_ID?: string;
  /** A URL, for both keys of KMS; none: AWS's own. */
  readonly AWS_KMS_ENDPOINT?: string;
  readonly FORMER_MASTER_KEY_FILE?: string;
  readonly FORMER_AWS_KMS_KEY_ID?: string;
}

/** The one that the installation is to have, and those that only unwrap what they wrapped before. */
export type KeyEncryptions = readonly [KeyEncryption, ...former: KeyEncryption[]];

/** Asks AWS for nothing yet. @throws MasterKeyUnusable */
export async function openKeyEncryptions(config: KeyEncryptionConfig): Promise<KeyEncryptions> {
  const { AWS_KMS_ENDPOINT } = config;
  const [current] = await openAll(config.MASTER_KEY_FILE, config.AWS_KMS_KEY_ID, AWS_KMS_ENDPOINT);
  if (!current) throw new Error('neither a master key nor a key of KMS is given');
  const former = await openAll(config.FORMER_MASTER_KEY_FILE, config.FORMER_AWS_KMS_KEY_ID, AWS_KMS_ENDPOINT);
  return [current, ...former];
}

async function openAll(masterKeyFile = '', kmsKeyId = '', endpoint = ''): Promise<KeyEncryption[]> {
  const opened: KeyEncryption[] = [];
  if (masterKeyFile) opened.push(fileKeyEncryption(await readMasterKeyFile(masterKeyFile)));
  if (kmsKeyId) {
    const region = regionOf(kmsKeyId);
    opened.push(awsKmsKeyEncryption({ keyId: kmsKeyId, region, endpoint: endpoint || undefined }));
  }
  return opened;
}

/** Two keys can be in two regions; an ARN says in which. */
const regionOf = (keyId: string): string | undefined => /^arn:[^:]+:kms:([^:]+):/.exec(keyId)?.[1];
