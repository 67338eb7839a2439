import { commonSettings, readSettings, wholeNumber } from '@touchstone/service-kit';
import { z } from 'zod';

/** What the service reads from its environment. */
export const issuerSettings = commonSettings('ISSUER', 7001, 7011).extend({
  ISSUER_URL: z
    .url()
    .default('http://127.0.0.1:7011')
    .describe('Who issues, as signed tokens name it (`iss`): where verifiers find `/.well-known/jwks.json`.'),
  SIGNING_KEY_DAYS: wholeNumber(30, 1, 'How long a key signs before the next one does.'),
});

export type IssuerConfig = z.output<typeof issuerSettings>;

/** @throws SettingsWrong */
export const readConfig = (env: NodeJS.ProcessEnv): IssuerConfig => readSettings(issuerSettings, env);
