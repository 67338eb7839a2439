import { hash } from 'node:crypto';
import type { Signal } from '../access/act.ts';
import type { Awaitable } from '../awaitable.ts';
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

/**
 * Decides with whatever proof came. A DPoP proof is taken last, if the token is honoured otherwise: of other tokens nothing is
 * written. That is a commit, and may take long: the decision is the one of when it is asked for.
 *
 * @param use what the token is presented for: a DPoP proof is good once for each.
 * @param decideOn the decision, given what is proven: null, nothing came.
 * @throws StoreUnavailable, Overloaded - and then the token must be refused.
 */
export function decideWithProof(
  presented: Presented,
  use: string,
  decideOn: (proven: Proven | null) => Decision,
  { proofs }: ProofPorts,
  signal?: Signal,
): Awaitable<() => Decision> {
  const { proof } = presented;
  if (proof?.kind !== 'dpop') return () => decideOn(proof && { certificate: proof.certificate });
  // It counts as none until it has been verified and taken.
  const decision = decideOn(null);
  if (decision.active || decision.reason !== 'proof_required') return () => decideOn(null);
  return decideWithDpop({ ...presented, proof }, use, decideOn, proofs, signal);
}

async function decideWithDpop(
  { token, proof }: { readonly token: string; readonly proof: DpopProof },
  use: string,
  decideOn: (proven: Proven) => Decision,
  proofs: ProofPorts['proofs'],
  signal?: Signal,
): Promise<() => Decision> {
  const verified = await proofs.verify(proof, token);
  if (!verified) return () => decideOn('nothing');
  const { key, issuedAt } = verified;
  const decision = decideOn({ key });
  if (!decision.active) return () => decision;
  const isTaken = await proofs.take({ hash: hashOf(verified, use), issuedAt }, signal);
  return () => decideOn(isTaken ? { key } : 'nothing');
}

const hashOf = ({ key, jti }: VerifiedProof, use: string): string => hash('sha256', JSON.stringify([key, jti, use]));
