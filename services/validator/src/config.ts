import { commonSettings, readSettings } from '@touchstone/service-kit';
import type { z } from 'zod';

/** What the service reads from its environment. */
export const validatorSettings = commonSettings('VALIDATOR', 7002, 7012);

export type ValidatorConfig = z.output<typeof validatorSettings>;

/** @throws SettingsWrong */
export const readConfig = (env: NodeJS.ProcessEnv): ValidatorConfig => readSettings(validatorSettings, env);
