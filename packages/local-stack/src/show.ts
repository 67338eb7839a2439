import { dirname } from 'node:path';
import { IssuerService, RefusalReasonSchema, RevocationService, Usage, ValidatorService } from '@touchstone/contracts';
import { clientOf } from './demo-tenant.ts';
import type { Stack } from './stack.ts';

type Print = (line: string) => void;

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

export function showStack({ services: { issuer, validator, revocation }, kafkaBrokers }: Stack, print: Print): void {
  print(`
  issuer      gRPC ${issuer.grpc}   HTTP ${issuer.http}
  validator   gRPC ${validator.grpc}   HTTP ${validator.http}
  revocation  gRPC ${revocation.grpc}   HTTP ${revocation.http}
  Kafka       ${kafkaBrokers.join(', ') || 'none (npm start -- --kafka starts one)'}
`);
}

/** Does the main job once before the reader's eyes: issue, validate, revoke, refused. */
export async function showMainJob({ services, demo }: Stack, print: Print): Promise<void> {
  const { tenantId, appId, audience, scopes } = demo;
  const issuer = clientOf(IssuerService, services.issuer.grpc, demo.identityToken);
  const validator = clientOf(ValidatorService, services.validator.grpc, demo.resourceServerToken);
  const revocation = clientOf(RevocationService, services.revocation.grpc, demo.operatorToken);
  const validate = (token: string) => validator.validateToken({ token, audience, requiredScopes: [...scopes] });

  print('The main job, done just now:\n');
  const issued = await issuer.issueToken({
    tenantId,
    appId,
    userId: articleUser,
    audience,
    scopes: [...scopes],
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

/** The credential comes to curl through a pipe: arguments can be read by every user of the machine. */
export function showNextSteps({ services, demo }: Stack, localJson: string, print: Print): void {
  const request = JSON.stringify({
    tenantId: demo.tenantId,
    appId: demo.appId,
    userId: 'ada',
    audience: demo.audience,
    scopes: demo.scopes,
    usage: 'USAGE_INTERACTIVE',
    claims: { name: 'Ada', email: 'ada@example.org' },
  });
  print(`
Endpoints and credentials are in ${localJson}. To issue a token yourself:

  node -p "'authorization: Bearer ' + require('${localJson}').identity_token" |
    curl -s ${services.issuer.http}/touchstone.v1.IssuerService/IssueToken \\
      -H @- -H 'content-type: application/json' \\
      -d '${request}'

gRPC reflection is on: grpcurl -plaintext ${services.validator.grpc} list
Metrics: ${services.validator.http}/metrics
Logs: ${dirname(localJson)}/stack/*-log/    Ctrl-C stops everything.`);
}
