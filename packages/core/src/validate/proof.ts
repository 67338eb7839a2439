import { hash } from 'node:crypto';
import type { Signal } from '../access/act.ts';
import type { Decision, Proven } from './decide.ts';
import type { DpopProof, ProofTaker, ProofVerifier, VerifiedProof } from './ports.ts';

/** What came with a token to prove that its holder has what the token is bound to. */
export type PresentedProof =
  /** SHA-256 of the client's certificate, in base64url, by the word of whoever presents it. */
  { readonly kind: 'certificate'; readonly certificate: string } | ({ readonly kind: 'dpop' } & DpopProof);

/** A token with the proof that came with it. */
export interface Presented {
  readonly token: string;
  /** Null: nothing came. */
  readonly proof: PresentedProof | null;
}

export interface ProofPorts {
  readonly proofs: ProofVerifier & ProofTaker;
}

/** What is proven without looking into it: a DPoP proof counts as none until it has been verified and taken. */
export const provenAtOnce = ({ proof }: Presented): Proven | null =>
  proof?.kind === 'certificate' ? { certificate: proof.certificate } : null;

/** Whether a decision on what is proven at once stands; else a DPoP proof has come, and it takes that. */
export const stands = (decision: Decision, { proof }: Presented): boolean =>
  decision.active || decision.reason !== 'proof_required' || proof?.kind !== 'dpop';

/** Decides with whatever proof came. As `decideWithDpop`. */
export async function decideWithProof(
  presented: Presented,
  use: string,
  decideOn: (proven: Proven | null) => Decision,
  ports: ProofPorts,
  signal?: Signal,
): Promise<Decision> {
  const decision = decideOn(provenAtOnce(presented));
  return stands(decision, presented) ? decision : decideWithDpop(presented, use, decideOn, ports, signal);
}

/**
 * Decides with the DPoP proof that came. It is taken last, if the token is honoured otherwise: of other tokens nothing is
 * written.
 *
 * @param use what the token is presented for: a proof is good once for each.
 * @param decideOn the decision, given what is proven.
 * @throws StoreUnavailable, Overloaded - and then the token must be refused.
 */
export async function decideWithDpop(
  { token, proof }: Presented,
  use: string,
  decideOn: (proven: Proven) => Decision,
  { proofs }: ProofPorts,
  signal?: Signal,
): Promise<Decision> {
  const verified = proof?.kind === 'dpop' ? await proofs.verify(proof, token) : null;
  if (!verified) return decideOn('nothing');
  const decision = decideOn({ key: verified.key });
  if (!decision.active) return decision;
  const { issuedAt } = verified;
  return (await proofs.take({ hash: hashOf(verified, use), issuedAt }, signal)) ? decision : decideOn('nothing');
}

const hashOf = ({ key, jti }: VerifiedProof, use: string): string => hash('sha256', JSON.stringify([key, jti, use]));
