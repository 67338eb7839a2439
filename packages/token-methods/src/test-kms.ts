import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { vi } from 'vitest';
import { unwrapKey, wrapKey } from './keys/wrap.ts';

export const testRegion = 'eu-test-1';
const madeUp: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: 'AKIDFORTESTS',
  AWS_SECRET_ACCESS_KEY: 'made-up',
};
/** Lets the SDK look for no credentials of this machine. */
const nowhere = {
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
};
const signature =
  /^AWS4-HMAC-SHA256 Credential=AKIDFORTESTS\/\d{8}\/eu-test-1\/kms\/aws4_request, SignedHeaders=\S*x-amz-target\S*, Signature=[\da-f]{64}$/;

/** Lets the SDK find these credentials and no others, until vi.unstubAllEnvs(). */
export function stubCredentials(credentials: Readonly<Record<string, string>> = madeUp): void {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
  for (const [name, value] of Object.entries({ ...nowhere, ...credentials })) vi.stubEnv(name, value);
}

/**
 * `away`: the connection breaks. `slow`: no answer comes. `garbled`: the answer is no JSON, so that a
 * parser quotes the key. `empty`: it says nothing.
 * Others: the error of this name.
 */
export type KmsFault = 'away' | 'slow' | 'garbled' | 'empty' | `${string}Exception`;

interface KmsRequest {
  readonly KeyId?: string;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
  readonly Plaintext?: string;
  readonly CiphertextBlob?: string;
}

/** An error as KMS answers it; its message is its type. */
class KmsRefusal extends Error {}

/** Encrypt and Decrypt of AWS KMS, as JSON 1.1 over HTTP, with keys in memory. */
export class TestKms {
  /** What goes wrong with each request that comes, the first first. */
  readonly faults: KmsFault[] = [];
  /** What goes wrong with all others. */
  alwaysFault: KmsFault | undefined;
  /** How many requests have come. */
  asked = 0;
  readonly #keys = new Map<string, Buffer>();
  readonly #server = createServer(async (request, response) => {
    this.asked++;
    const fault = this.faults.shift() ?? this.alwaysFault;
    if (fault === 'away') request.destroy();
    if (fault === 'away' || fault === 'slow') return;
    const { status, body } = await this.#answer(request, fault);
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(fault === 'garbled' ? body.replace(/"([^"]*)"}$/, '$1}') : body);
  });

  async [Symbol.asyncDispose]() {
    this.#server.closeAllConnections();
    await this.#server[Symbol.asyncDispose]();
  }

  static async start(): Promise<TestKms> {
    const kms = new TestKms();
    await once(kms.#server.listen(0, '127.0.0.1'), 'listening');
    return kms;
  }

  /** What a process needs in its environment to ask it, by the SDK's own names. */
  get environment(): Readonly<Record<string, string>> {
    return { ...nowhere, ...madeUp, AWS_REGION: testRegion };
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** @returns the new key's id. */
  createKey(): string {
    const keyId = randomUUID();
    this.#keys.set(keyId, randomBytes(32));
    return keyId;
  }

  async #answer(request: IncomingMessage, fault?: KmsFault): Promise<{ status: number; body: string }> {
    try {
      const asked = (await json(request)) as KmsRequest;
      if (!signature.test(request.headers.authorization ?? '')) throw new KmsRefusal('IncompleteSignatureException');
      if (fault?.endsWith('Exception')) throw new KmsRefusal(fault);
      const answer = this.#perform(request.headers['x-amz-target'], asked);
      return { status: 200, body: JSON.stringify(fault === 'empty' ? {} : answer) };
    } catch (error) {
      if (!(error instanceof KmsRefusal)) throw error;
      return { status: 400, body: JSON.stringify({ __type: error.message, message: 'refused' }) };
    }
  }

  #perform(target: string | string[] | undefined, request: KmsRequest): object {
    if (target === 'TrentService.Encrypt') return this.#encrypt(request);
    if (target === 'TrentService.Decrypt') return this.#decrypt(request);
    throw new KmsRefusal('UnknownOperationException');
  }

  #encrypt({ KeyId = '', Plaintext = '', EncryptionContext }: KmsRequest): object {
    const encrypted = wrapKey(this.#key(KeyId), Buffer.from(Plaintext, 'base64'), aadOf(EncryptionContext));
    const blob = Buffer.concat([Buffer.from(KeyId), encrypted]);
    return { KeyId, CiphertextBlob: blob.toString('base64') };
  }

  /** As KMS does, without a KeyId by whichever key encrypted it. */
  #decrypt({ KeyId, CiphertextBlob = '', EncryptionContext }: KmsRequest): object {
    const blob = Buffer.from(CiphertextBlob, 'base64');
    const keyId = blob.toString('latin1', 0, 36);
    if (KeyId) this.#key(KeyId);
    const key = this.#keys.get(keyId);
    const plain = key && unwrapKey(key, blob.subarray(36), aadOf(EncryptionContext));
    if (!plain) throw new KmsRefusal('InvalidCiphertextException');
    if (KeyId && KeyId !== keyId) throw new KmsRefusal('IncorrectKeyException');
    return { KeyId: keyId, Plaintext: plain.toString('base64') };
  }

  #key(keyId: string): Buffer {
    const key = this.#keys.get(keyId);
    if (!key) throw new KmsRefusal('NotFoundException');
    return key;
  }
}

const aadOf = (context: KmsRequest['EncryptionContext'] = {}): string =>
  JSON.stringify(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1)));
