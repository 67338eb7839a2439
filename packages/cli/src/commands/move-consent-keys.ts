import { openKeyEncryptions } from '@touchstone/replica';
import { readSettings } from '@touchstone/service-kit';
import { consentKeyMover, dataKeyStore, openDatabase } from '@touchstone/store-postgres';
import { DataKeys, moveConsentKeys } from '@touchstone/token-methods';
import { Command } from 'commander';
import { keyedSettings } from '../settings.ts';
import { teller } from '../teller.ts';

interface Flags {
  readonly olderThan: string;
  readonly json: boolean;
}

export const moveConsentKeysCommand = new Command('move-consent-keys')
  .description(
    'wrap the keys of living consents by the present data key, and delete those of consents that have ended, so that old data keys can be destroyed; again where it was interrupted (MASTER_KEY_FILE or AWS_KMS_KEY_ID, DATABASE_URL of a login that has been granted touchstone_keys)',
  )
  .option('--older-than <days>', 'only what was wrapped by data keys that are older', '0')
  .option('--json', 'print the result as JSON', false)
  .action(async ({ olderThan, json }: Flags) => {
    const days = Number(olderThan);
    if (!(days >= 0)) throw new Error('--older-than must be a number of days');
    const { DATABASE_URL: url, ...keys } = readSettings(keyedSettings, process.env);
    const encryptions = await openKeyEncryptions(keys);
    await using database = openDatabase({ url, applicationName: 'touchstone move-consent-keys', connectionsMax: 1 });
    const dataKeys = new DataKeys(dataKeyStore(database), encryptions);
    const tell = teller();
    const { moved, deleted, unreadable } = await moveConsentKeys(
      consentKeyMover(database),
      dataKeys,
      days * 86_400_000,
      (looked) => tell(`looked at ${looked} keys`),
    );
    if (json) console.log(JSON.stringify({ moved, deleted, unreadable }));
    else console.log(`${moved} keys moved, ${deleted} of consents that have ended deleted.`);
    if (unreadable.length > 0) {
      throw new Error(`the keys of these consents don't unwrap, and stay: ${unreadable.slice(0, 10).join(', ')}`);
    }
  });
