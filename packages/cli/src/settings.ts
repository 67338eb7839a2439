import { secret } from '@touchstone/service-kit';
import { z } from 'zod';

/** What `touchstone migrate` reads from its environment. */
export const databaseSettings = z.object({
  DATABASE_URL: secret("PostgreSQL's URL, for a login that may create roles and tables."),
});

/** What `touchstone bootstrap` reads from its environment. */
export const bootstrapSettings = databaseSettings.extend({
  MASTER_KEY_FILE: z.string().min(1).describe('File of the master key, readable by its owner alone.'),
});
