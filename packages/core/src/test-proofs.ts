import { StoreUnavailable } from './errors.ts';
import type { DpopProof, ProofTaker, ProofVerifier, TakenProof, VerifiedProof } from './validate/ports.ts';
import type { PresentedProof } from './validate/proof.ts';

/** A proof for tests: what it proves, and with which token, in the open. */
export const dpopOf = (token: string, key: string, jti = 'once', issuedAt = 0): PresentedProof => ({
  kind: 'dpop',
  jwt: JSON.stringify({ token, key, jti, issuedAt }),
  method: 'GET',
  uri: 'https://s1.example.com/',
});

/** Proofs of `dpopOf`, and those that were taken. */
export class TestProofs implements ProofVerifier, ProofTaker {
  readonly taken: string[] = [];
  /** The database's clock, and how far from it a proof may be. */
  now = 0;
  window = 60_000;
  away = false;
  taking = async () => {};

  verify = async ({ jwt }: DpopProof, token: string): Promise<VerifiedProof | null> => {
    const { token: madeFor, ...verified } = JSON.parse(jwt);
    return madeFor === token ? verified : null;
  };

  take = async ({ hash, issuedAt }: TakenProof): Promise<boolean> => {
    await this.taking();
    if (this.away) throw new StoreUnavailable();
    if (Math.abs(this.now - issuedAt) > this.window || this.taken.includes(hash)) return false;
    this.taken.push(hash);
    return true;
  };
}
