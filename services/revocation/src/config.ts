import { commonSettings, databaseUrl, readSettings } from '@touchstone/service-kit';
import type { z } from 'zod';

/** What the service reads from its environment. */
export const revocationSettings = commonSettings('REVOCATION', 7003, 7013).extend({
  UPKEEP_DATABASE_URL: databaseUrl("PostgreSQL's URL, for a login that has been granted the role touchstone_upkeep."),
});

export type RevocationConfig = z.output<typeof revocationSettings>;

/** @throws SettingsWrong */
export const readConfig = (env: NodeJS.ProcessEnv): RevocationConfig => readSettings(revocationSettings, env);
