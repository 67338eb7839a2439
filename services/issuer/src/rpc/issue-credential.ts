import type { MessageShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { IssueCredentialRequestSchema, RegistryService } from '@touchstone/contracts';
import { issueCredential, type PrincipalRequest } from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toSeconds } from './duration.ts';
import { required } from './required.ts';

export const issueCredentialHandler =
  ({ credentials }: IssuerContext): UnaryHandler<typeof RegistryService.method.issueCredential> =>
  async (request, { act }) => {
    const ttl = required(toSeconds('ttl', request.ttl) ?? undefined);
    const command = { principal: toPrincipal(request.principal), scopes: request.scopes, ttl };
    const { credential, tokenId, expiresAt } = await issueCredential(act, command, credentials);
    return { credential, tokenId, expiresAt: timestampFromMs(expiresAt) };
  };

type Principal = MessageShape<typeof IssueCredentialRequestSchema>['principal'];

function toPrincipal(principal: Principal): PrincipalRequest {
  switch (principal.case) {
    case 'identityService':
      return { kind: 'identity_service', name: principal.value.name, tenantIds: [principal.value.tenantId] };
    case 'app':
      return { kind: 'app', name: principal.value.appId };
    case 'resourceServer':
      return { kind: 'resource_server', name: principal.value.audience };
    case 'operator':
      return { kind: 'operator', name: principal.value.name, tenantIds: principal.value.tenantIds };
    case 'auditor':
      return { kind: 'auditor', name: principal.value.name, tenantIds: principal.value.tenantIds };
    default:
      return required<PrincipalRequest>(undefined);
  }
}
