import type { MessageShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { IssueCredentialRequestSchema, RegistryService } from '@touchstone/contracts';
import { type CredentialCommand, issueCredential, type PrincipalRequest } from '@touchstone/core';
import { required, type UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toSeconds } from './duration.ts';
import { commandOr, credentialRefused } from './refusals.ts';

export const issueCredentialHandler =
  (context: IssuerContext): UnaryHandler<typeof RegistryService.method.issueCredential> =>
  async (request, { act }) => {
    const command = await commandOr(credentialRefused(context), act, () => toCredentialCommand(request));
    const { credential, tokenId, expiresAt } = await issueCredential(act, command, context.credentials);
    return { credential, tokenId, expiresAt: timestampFromMs(expiresAt) };
  };

type Request = MessageShape<typeof IssueCredentialRequestSchema>;

const toCredentialCommand = ({ principal, scopes, ttl }: Request): CredentialCommand => ({
  principal: toPrincipal(principal),
  scopes,
  ttl: required(toSeconds('ttl', ttl) ?? undefined),
});

function toPrincipal(principal: Request['principal']): PrincipalRequest {
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
