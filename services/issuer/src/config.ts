import { commonSettings, readSettings } from '@touchstone/service-kit';
import type { z } from 'zod';

/** What the service reads from its environment. */
export const issuerSettings = commonSettings('ISSUER', 7001, 7011);

export type IssuerConfig = z.output<typeof issuerSettings>;

/** @throws SettingsWrong */
export const readConfig = (env: NodeJS.ProcessEnv): IssuerConfig => readSettings(issuerSettings, env);
