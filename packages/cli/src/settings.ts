import { keySettings, secret } from '@touchstone/service-kit';
import { z } from 'zod';

/** What `touchstone migrate` reads from its environment. */
export const databaseSettings = z.object({
  DATABASE_URL: secret("PostgreSQL's URL, for a login that may create roles and tables."),
});

/** What `touchstone bootstrap` and `touchstone rewrap-keys` read from their environment. */
export const keyedSettings = databaseSettings.extend(keySettings);
