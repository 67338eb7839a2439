import { openKeyEncryptions } from '@touchstone/replica';
import { readSettings } from '@touchstone/service-kit';
import { dataKeyRewrapper, openDatabase } from '@touchstone/store-postgres';
import { rewrapDataKeys } from '@touchstone/token-methods';
import { Command } from 'commander';
import { keyedSettings } from '../settings.ts';

export const rewrapKeysCommand = new Command('rewrap-keys')
  .description(
    'wrap every data key by MASTER_KEY_FILE or AWS_KMS_KEY_ID, from what FORMER_MASTER_KEY_FILE or FORMER_AWS_KMS_KEY_ID ' +
      'wrapped; once all services know both, and again where it was interrupted (DATABASE_URL of the login that migrates)',
  )
  .option('--json', 'print the result as JSON', false)
  .action(async ({ json }: { readonly json: boolean }) => {
    const { DATABASE_URL: url, ...keys } = readSettings(keyedSettings, process.env);
    const [to, ...from] = await openKeyEncryptions(keys);
    await using database = openDatabase({ url, applicationName: 'touchstone rewrap-keys', connectionsMax: 1 });
    const rewrapped = await rewrapDataKeys(dataKeyRewrapper(database), from, to, ({ done, total }) =>
      console.error(`${done} of ${total} data keys`),
    );
    if (json) return console.log(JSON.stringify({ key_encryption_id: to.id, rewrapped }));
    console.log(
      `${rewrapped} data keys wrapped anew: ${to.id} wraps all of them, and no former one is needed any more.`,
    );
  });
