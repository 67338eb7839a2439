import { ValidatorService } from '@touchstone/contracts';
import { route, type Service } from '@touchstone/service-kit';
import { readConfig, type ValidatorConfig } from './config.ts';
import { openContext, type ValidatorContext } from './context.ts';
import { batchValidateTokensHandler } from './rpc/batch-validate-tokens.ts';
import { readPlainRequest, readPlainRequests } from './rpc/read-plain.ts';
import { validateTokenHandler } from './rpc/validate-token.ts';

export const validator: Service<ValidatorConfig, ValidatorContext> = {
  name: 'validator',
  services: [ValidatorService],
  readConfig,
  openContext,
  routes: (context) => [
    route(
      ValidatorService,
      {
        validateToken: validateTokenHandler(context),
        batchValidateTokens: batchValidateTokensHandler(context),
      },
      { plain: { validateToken: readPlainRequest, batchValidateTokens: readPlainRequests } },
    ),
  ],
};
