import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { CallerIdentitySchema } from '@touchstone/contracts';
import type { CallerIdentity, CallerProof } from '@touchstone/core';
import { required } from '@touchstone/service-kit';

type Message = MessageShape<typeof CallerIdentitySchema>;

/** @throws InvalidField */
export const toCallerIdentity = ({ method, scopes }: Message): CallerIdentity => ({ ...toProof(method), scopes });

function toProof(method: Message['method']): CallerProof {
  switch (method.case) {
    case 'certificateSha256':
      return { certificate: method.value };
    case 'spiffeId':
      return { spiffeId: method.value };
    default:
      return { jwk: required(method.value) };
  }
}

export const fromCallerIdentity = (identity: CallerIdentity): MessageInitShape<typeof CallerIdentitySchema> => ({
  method: fromProof(identity),
  scopes: [...identity.scopes],
});

function fromProof(proof: CallerProof) {
  if ('jwk' in proof) return { case: 'jwk', value: proof.jwk } as const;
  if ('certificate' in proof) return { case: 'certificateSha256', value: proof.certificate } as const;
  return { case: 'spiffeId', value: proof.spiffeId } as const;
}
