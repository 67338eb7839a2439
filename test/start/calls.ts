import { IssuerService, Usage, ValidatorService } from '@touchstone/contracts';
import { clientOf } from '@touchstone/local-stack';
import type { LocalJson } from './npm-start.ts';

/** A token for a user, with all that the demo's app may have. */
export const issue = ({ issuer, tenant_id, app_id, audience, scopes }: LocalJson, credential: string) =>
  clientOf(IssuerService, issuer.grpc, credential).issueToken({
    tenantId: tenant_id,
    appId: app_id,
    userId: 'ada',
    audience,
    scopes: [...scopes],
    usage: Usage.INTERACTIVE,
  });

/** Whether it is good for all that. */
export const validate = ({ validator, audience, scopes }: LocalJson, credential: string, token: string) =>
  clientOf(ValidatorService, validator.grpc, credential).validateToken({
    token,
    audience,
    requiredScopes: [...scopes],
  });
