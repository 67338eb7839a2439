import type { SigningAlgorithm } from '@touchstone/core';
import type { CryptoKey } from 'jose';

/** A private key that signs tokens. */
export interface Signer {
  /** Its `kid`. */
  readonly keyId: string;
  readonly algorithm: SigningAlgorithm;
  readonly key: CryptoKey;
}

/** Finds the keys of tenants that sign. */
export interface Signers {
  /**
   * The tenant's key that signs, as of that version of its registry: each change of its keys raises the version.
   * @throws StoreUnavailable
   */
  signer(tenantId: string, registryVersion: number): Promise<Signer>;
}
