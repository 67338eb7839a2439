import { brokerList, databaseUrl, fenceMilliseconds, keySettings } from '@touchstone/service-kit';
import { z } from 'zod';

/** What `touchstone migrate` and `destroy-data-key` read from their environment. */
export const databaseSettings = z.object({
  DATABASE_URL: databaseUrl(
    "PostgreSQL's URL, for a login that may create roles and tables; of `move-consent-keys`, for one that has been granted `touchstone_keys`.",
  ),
});

/** What `touchstone bootstrap`, `rewrap-keys` and `move-consent-keys` read from their environment. */
export const keyedSettings = databaseSettings.extend(keySettings);

/** What `touchstone replay-revocations` reads from its environment. */
export const replaySettings = keyedSettings.extend({
  KAFKA_BROKERS: brokerList
    .refine((brokers) => brokers.length > 0, 'must name brokers: without the topic nothing is known of what was lost')
    .describe('Kafka brokers, host:port, separated by commas.'),
  FENCE_MILLISECONDS: fenceMilliseconds('As the services have it.'),
});
