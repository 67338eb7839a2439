import type { MessageShape } from '@bufbuild/protobuf';
import type { ProofSchema } from '@touchstone/contracts';
import type { PresentedProof } from '@touchstone/core';

/** The proof of a request that takes one. */
export function toPresentedProof(proof: MessageShape<typeof ProofSchema> | undefined): PresentedProof | null {
  const { method } = proof ?? {};
  switch (method?.case) {
    case 'certificateSha256':
      return { kind: 'certificate', certificate: method.value };
    case 'dpop':
      return { kind: 'dpop', jwt: method.value.proof, method: method.value.httpMethod, uri: method.value.httpUri };
    default:
      return null;
  }
}
