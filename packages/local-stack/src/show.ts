import { IssuerService, RefusalReasonSchema, RevocationService, Usage, ValidatorService } from '@touchstone/contracts';
import { clientOf } from './demo-tenant.ts';
import type { Stack } from './stack.ts';

/** The claims of the article that asked for this system; its iss, iat and exp are the token's own business. */
const articleUser = '110169484474386276334';
const articleClaims = {
  name: 'John Doe',
  email: 'testuser@gmail.com',
  email_verified: 'true',
  given_name: 'Test',
  family_name: 'User',
  locale: 'en',
};

/** Does the main job once before the reader's eyes: issue, validate, revoke, refused. */
export async function showMainJob({ services, demo }: Stack, print: (line: string) => void): Promise<void> {
  const { tenantId, appId, audience } = demo;
  const [scope = ''] = demo.scopes;
  const issuer = clientOf(IssuerService, services.issuer.grpc, demo.identityToken);
  const validator = clientOf(ValidatorService, services.validator.grpc, demo.resourceServerToken);
  const revocation = clientOf(RevocationService, services.revocation.grpc, demo.operatorToken);
  const validate = (token: string) => validator.validateToken({ token, audience, requiredScopes: [scope] });

  const issued = await issuer.issueToken({
    tenantId,
    appId,
    userId: articleUser,
    audience,
    scopes: [scope],
    usage: Usage.INTERACTIVE,
    claims: articleClaims,
  });
  print(
    `  issue     ${issued.token.slice(0, 24)}...  (${issued.token.length} characters; claims sealed inside the store)`,
  );
  const honoured = await validate(issued.token);
  const claims = Object.entries(honoured.claims ?? {}).map(([name, value]) => `${name}=${value}`);
  print(`  validate  active=${honoured.active}  subject=${honoured.subject}  ${claims.join('  ')}`);
  print('            (the resource server sees the three claims released to it, of the six that the token holds)');
  const { revocationId } = await revocation.revokeToken({
    tokenOrId: { case: 'tokenId', value: issued.tokenId },
    reason: 'shown at the start',
  });
  print(`  revoke    ${revocationId}`);
  const refused = await validate(issued.token);
  print(`  validate  active=${refused.active}  reason=${RefusalReasonSchema.value[refused.reason]?.localName}`);
}
