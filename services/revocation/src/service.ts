import { RevocationService } from '@touchstone/contracts';
import { route, type Service } from '@touchstone/service-kit';
import { type RevocationConfig, readConfig } from './config.ts';
import { openContext, type RevocationContext } from './context.ts';
import { eraseTenantHandler } from './rpc/erase-tenant.ts';
import { eraseUserHandler } from './rpc/erase-user.ts';
import { getErasureHandler } from './rpc/get-erasure.ts';
import { getRevocationHandler } from './rpc/get-revocation.ts';
import { readPlainRequest } from './rpc/read-plain.ts';
import { revokeTokenHandler } from './rpc/revoke-token.ts';
import { revokeTokensHandler } from './rpc/revoke-tokens.ts';
import { watchRevocationHandler } from './rpc/watch-revocation.ts';

export const revocation: Service<RevocationConfig, RevocationContext> = {
  name: 'revocation',
  services: [RevocationService],
  readConfig,
  openContext,
  routes: (context) => [
    route(
      RevocationService,
      {
        revokeToken: revokeTokenHandler(context),
        revokeTokens: revokeTokensHandler(context),
        getRevocation: getRevocationHandler(context),
        eraseUser: eraseUserHandler(context),
        eraseTenant: eraseTenantHandler(context),
        getErasure: getErasureHandler(context),
        watchRevocation: watchRevocationHandler(context),
      },
      { plain: { revokeToken: readPlainRequest } },
    ),
  ],
};
