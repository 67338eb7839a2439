import type { AuditEvent } from '../audit/audit-event.ts';

/** A key as it is stored: encrypted under a data key. */
export interface WrappedKey {
  readonly dataKeyId: string;
  readonly wrapped: Buffer;
}

/** A data key as it is stored: encrypted by the key encryption of the installation. */
export interface StoredDataKey {
  readonly dataKeyId: string;
  readonly purpose: DataKeyPurpose;
  /** Which key-encryption key it was wrapped by. */
  readonly keyEncryptionId: string;
  readonly wrapped: Buffer;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/**
 * What a data key is for. `installation`: all that is derived; there is one. `signing`: private keys. `consent`: the keys
 * of consents, of a period. `tenant`: the keys of tenants.
 */
export type DataKeyPurpose = 'installation' | 'signing' | 'consent' | 'tenant';

/** Keeps data keys. */
export interface DataKeyStore {
  /** Null where there is none. @throws StoreUnavailable */
  find(dataKeyId: string): Promise<StoredDataKey | null>;
  /** The data key that new keys of this purpose are wrapped by: the youngest. Null: none yet. @throws StoreUnavailable */
  current(purpose: DataKeyPurpose): Promise<StoredDataKey | null>;
  /**
   * Keeps a new data key. Where another became the current one meanwhile, nothing happens.
   * @param replaces the id of the one that was current; null: none was.
   * @throws StoreUnavailable
   */
  add(key: Omit<StoredDataKey, 'createdAt'>, replaces: string | null): Promise<void>;
}

/** How tokens are signed (RFC 7518 section 3.1, RFC 8037). */
export type SigningAlgorithm = 'EdDSA' | 'ES256' | 'RS256';

/**
 * `next`: published, so that verifiers know it before it signs. `active`: signs. `retired`: published for as long as any
 * token can live. `revoked`: with all that it signed.
 */
export type SigningKeyState = 'next' | 'active' | 'retired' | 'revoked';

/** What everyone may know of a signing key. */
export interface PublicSigningKey {
  /** The `kid`: its thumbprint (RFC 7638). */
  readonly keyId: string;
  readonly tenantId: string;
  readonly algorithm: SigningAlgorithm;
  readonly state: SigningKeyState;
  /** The public key as a JWK (RFC 7517), as JSON. */
  readonly publicJwk: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** When it began to sign; null: not yet. */
  readonly activatedAt: number | null;
  /** When it ceased to sign; null: not yet. */
  readonly retiredAt: number | null;
}

/** A signing key. */
export interface SigningKey extends PublicSigningKey {
  /** The private key (PKCS #8). */
  readonly privateKey: WrappedKey;
}

/** A signing key that is to be kept. */
export type NewSigningKey = Pick<SigningKey, 'keyId' | 'tenantId' | 'algorithm' | 'publicJwk' | 'privateKey'>;

/** Makes signing keys, as many as a rotation needs. */
export interface SigningKeyMaker {
  /** @throws StoreUnavailable */
  makePair(tenantId: string, algorithm: SigningAlgorithm): Promise<Rotation['pair']>;
}

/** Reads what is public of signing keys. Each is kept with a keyed hash over it: one that somebody else made counts as not there. */
export interface PublicKeyReader {
  /** Null where these tenants have none such. @throws StoreUnavailable */
  findPublic(keyId: string, tenantIds: readonly string[]): Promise<PublicSigningKey | null>;
}

/** Makes the keys of tenants, under which their users' handles are made. */
export interface TenantKeyMaker {
  /** @throws StoreUnavailable */
  create(tenantId: string): Promise<WrappedKey>;
}

/** Reads the keys of tenants. */
export interface TenantKeyReader {
  /** Null where there is none, or none any more. @throws StoreUnavailable */
  find(tenantId: string): Promise<WrappedKey | null>;
}

/** Public keys that resource servers have registered, to be encrypted to. */
export interface EncryptionKeys {
  /** Whether it is one, as a JWK (RFC 7517) in JSON, that can be encrypted to and says nothing else, with nothing of a private one. */
  isUsable(jwk: string): Promise<boolean>;
}

/** Public keys of callers, by which they show who they are. */
export interface CallerKeys {
  /** The `kid` of a key that signatures of callers can be verified with, as a JWK in JSON; null where it is not one. */
  keyIdOf(jwk: string): Promise<string | null>;
}

export interface Rotation {
  readonly tenantId: string;
  /**
   * Rotates only where this key is the active one, or none is; null: where none is; absent: in any case. One that is alive signs on
   * until verifiers know the next one.
   */
  readonly replaces?: string | null;
  /** The new next key, and one to be the next before that where there is none. */
  readonly pair: readonly [next: NewSigningKey, active: NewSigningKey];
}

/** The two keys that a tenant has after a rotation. */
export interface Rotated {
  readonly active: PublicSigningKey;
  readonly next: PublicSigningKey;
}

/** Seconds for which verifiers may remember the keys that are published. */
export const publishedKeysMaxAge = 300;

/** How many of a tenant's keys may be published: while as many are, none is made because somebody asks for it. */
export const publishedKeysMax = 100;

/** Keeps signing keys. */
export interface SigningKeyStore extends PublicKeyReader {
  /** The tenant's key that signs; null: none does. @throws StoreUnavailable */
  active(tenantId: string): Promise<SigningKey | null>;
  /** All of a tenant's, the youngest first. @throws StoreUnavailable */
  listPublic(tenantId: string): Promise<readonly PublicSigningKey[]>;
  /** Those of all tenants that verifiers need to know. @throws StoreUnavailable */
  listPublished(): Promise<readonly PublicSigningKey[]>;
  /**
   * Keys that have signed for longer than this many milliseconds, but those whose next one verifiers may not know yet.
   * @throws StoreUnavailable
   */
  listDue(milliseconds: number): Promise<readonly PublicSigningKey[]>;
  /**
   * Lets the next key sign and keeps a new next one, raises the version of the tenant's registry, and writes the event; or
   * none of that, but that there is a next one. Returns what holds afterwards.
   * @param eventOf the event, for the key that signs now.
   * @throws Disabled where the tenant has been; TooManySigningKeys where it is in any case, and as many as may be are
   *   published; StoreUnavailable
   */
  rotate(rotation: Rotation, eventOf: (keyId: string) => AuditEvent): Promise<Rotated>;
}
