import { ConsentService, IssuerService, RegistryService } from '@touchstone/contracts';
import { route, type Service } from '@touchstone/service-kit';
import { type IssuerConfig, readConfig } from './config.ts';
import { type IssuerContext, openContext } from './context.ts';
import { pages } from './pages.ts';
import { batchIssueTokensHandler } from './rpc/batch-issue-tokens.ts';
import { createAppHandler } from './rpc/create-app.ts';
import { createResourceServerHandler } from './rpc/create-resource-server.ts';
import { createTenantHandler } from './rpc/create-tenant.ts';
import { disableAppHandler } from './rpc/disable-app.ts';
import { disableResourceServerHandler } from './rpc/disable-resource-server.ts';
import { disableTenantHandler } from './rpc/disable-tenant.ts';
import { exchangeTokenHandler } from './rpc/exchange-token.ts';
import { explainGrantHandler } from './rpc/explain-grant.ts';
import { getAppHandler } from './rpc/get-app.ts';
import { getConsentHandler } from './rpc/get-consent.ts';
import { getPolicyHandler } from './rpc/get-policy.ts';
import { getResourceServerHandler } from './rpc/get-resource-server.ts';
import { getTenantHandler } from './rpc/get-tenant.ts';
import { getTokenUseHandler } from './rpc/get-token-use.ts';
import { issueCredentialHandler } from './rpc/issue-credential.ts';
import { issueTokenHandler } from './rpc/issue-token.ts';
import { listAppsHandler } from './rpc/list-apps.ts';
import { listConsentsHandler } from './rpc/list-consents.ts';
import { listPolicyVersionsHandler } from './rpc/list-policy-versions.ts';
import { listResourceServersHandler } from './rpc/list-resource-servers.ts';
import { listSigningKeysHandler } from './rpc/list-signing-keys.ts';
import { listTenantsHandler } from './rpc/list-tenants.ts';
import { listUnusedScopesHandler } from './rpc/list-unused-scopes.ts';
import { previewPolicyHandler } from './rpc/preview-policy.ts';
import { readPlainRequest, readPlainRequests } from './rpc/read-plain.ts';
import { recordConsentHandler } from './rpc/record-consent.ts';
import { refreshTokenHandler } from './rpc/refresh-token.ts';
import { credentialRefused, tokenRefused } from './rpc/refusals.ts';
import { rollbackPolicyHandler } from './rpc/rollback-policy.ts';
import { rotateSigningKeyHandler } from './rpc/rotate-signing-key.ts';
import { updateAppHandler } from './rpc/update-app.ts';
import { updatePolicyHandler } from './rpc/update-policy.ts';
import { updateResourceServerHandler } from './rpc/update-resource-server.ts';
import { updateTenantHandler } from './rpc/update-tenant.ts';

export const issuer: Service<IssuerConfig, IssuerContext> = {
  name: 'issuer',
  services: [IssuerService, RegistryService, ConsentService],
  pages,
  readConfig,
  openContext,
  routes: (context) => [
    route(
      IssuerService,
      {
        issueToken: issueTokenHandler(context),
        batchIssueTokens: batchIssueTokensHandler(context),
        exchangeToken: exchangeTokenHandler(context),
        explainGrant: explainGrantHandler(context),
        refreshToken: refreshTokenHandler(context),
      },
      {
        refused: {
          issueToken: tokenRefused(context),
          batchIssueTokens: tokenRefused(context),
          exchangeToken: tokenRefused(context),
          refreshToken: tokenRefused(context),
        },
        plain: { issueToken: readPlainRequest, batchIssueTokens: readPlainRequests },
      },
    ),
    route(
      RegistryService,
      {
        createTenant: createTenantHandler(context),
        getTenant: getTenantHandler(context),
        listTenants: listTenantsHandler(context),
        updateTenant: updateTenantHandler(context),
        disableTenant: disableTenantHandler(context),
        createApp: createAppHandler(context),
        getApp: getAppHandler(context),
        listApps: listAppsHandler(context),
        updateApp: updateAppHandler(context),
        disableApp: disableAppHandler(context),
        createResourceServer: createResourceServerHandler(context),
        getResourceServer: getResourceServerHandler(context),
        listResourceServers: listResourceServersHandler(context),
        updateResourceServer: updateResourceServerHandler(context),
        disableResourceServer: disableResourceServerHandler(context),
        getPolicy: getPolicyHandler(context),
        listPolicyVersions: listPolicyVersionsHandler(context),
        previewPolicy: previewPolicyHandler(context),
        rollbackPolicy: rollbackPolicyHandler(context),
        updatePolicy: updatePolicyHandler(context),
        listUnusedScopes: listUnusedScopesHandler(context),
        getTokenUse: getTokenUseHandler(context),
        issueCredential: issueCredentialHandler(context),
        listSigningKeys: listSigningKeysHandler(context),
        rotateSigningKey: rotateSigningKeyHandler(context),
      },
      { refused: { issueCredential: credentialRefused(context) } },
    ),
    route(ConsentService, {
      recordConsent: recordConsentHandler(context),
      getConsent: getConsentHandler(context),
      listConsents: listConsentsHandler(context),
    }),
  ],
};
