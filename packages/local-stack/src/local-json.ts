import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { RevocationService } from '@touchstone/contracts';
import { clientOf } from './demo-tenant.ts';
import type { Stack } from './stack.ts';

/** What programs need to find and use the stack. */
const descriptionOf = ({ services, postgres, kafkaBrokers, demo }: Stack) => ({
  issuer: { grpc: services.issuer.grpc, http: services.issuer.http },
  validator: { grpc: services.validator.grpc, http: services.validator.http },
  revocation: { grpc: services.revocation.grpc, http: services.revocation.http },
  postgres: postgres.adminUrl,
  kafka: kafkaBrokers.length > 0 ? kafkaBrokers : null,
  operator_token: demo.operatorToken,
  identity_token: demo.identityToken,
  app_token: demo.appToken,
  resource_server_token: demo.resourceServerToken,
  tenant_id: demo.tenantId,
  app_id: demo.appId,
  audience: demo.audience,
  scopes: demo.scopes,
});

/** Writes the stack's endpoints and credentials to a file, and takes back the credentials that it held before. */
export async function replaceLocalJson(file: string, stack: Stack): Promise<void> {
  await revokeCredentialsIn(file, stack);
  const next = `${file}.next`;
  await rm(next, { force: true });
  await writeFile(next, `${JSON.stringify(descriptionOf(stack), null, 2)}\n`, { mode: 0o600 });
  await rename(next, file);
}

/** The operator's is not among them: bootstrapping the next one has cut it off. */
async function revokeCredentialsIn(file: string, { services, demo }: Stack): Promise<void> {
  const { identity_token, app_token, resource_server_token } = await readFile(file, 'utf8')
    .then(JSON.parse)
    .catch(() => ({}));
  const revocation = clientOf(RevocationService, services.revocation.grpc, demo.operatorToken);
  for (const token of [identity_token, app_token, resource_server_token].filter(Boolean)) {
    await revocation
      .revokeToken({ tokenOrId: { case: 'token', value: token }, reason: 'the local stack was started again' })
      .catch(ignoreUnknown);
  }
}

/** The database may be another one by now. */
function ignoreUnknown(error: unknown): void {
  if (ConnectError.from(error).code !== Code.NotFound) throw error;
}
