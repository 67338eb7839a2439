import { commonSettings, readSettings, wholeNumber } from '@touchstone/service-kit';
import type { z } from 'zod';

/** What the service reads from its environment. */
export const validatorSettings = commonSettings('VALIDATOR', 7002, 7012).extend({
  CACHE_MEBIBYTES: wholeNumber(
    64,
    1,
    'The most memory for remembered tokens, which answer validations that need not be fully consistent.',
  ),
});

export type ValidatorConfig = z.output<typeof validatorSettings>;

/** @throws SettingsWrong */
export const readConfig = (env: NodeJS.ProcessEnv): ValidatorConfig => readSettings(validatorSettings, env);
