import { readSettings } from '@touchstone/service-kit';
import { type Destruction, destroyDataKey, openDatabase } from '@touchstone/store-postgres';
import { Command } from 'commander';
import { databaseSettings } from '../settings.ts';

const refusals: Readonly<Record<Exclude<Destruction, 'destroyed'>, string>> = {
  absent: 'there is no such data key',
  current: 'it wraps what is new: it must wait until another one does',
  used: 'keys of consents, or signing keys, that it wrapped are still there; touchstone move-consent-keys moves those of consents',
};

export const destroyDataKeyCommand = new Command('destroy-data-key')
  .description('delete a data key that nothing needs any more, for good (DATABASE_URL of the login that migrates)')
  .argument('<id>', 'its data_key_id')
  .action(async (dataKeyId: string) => {
    const url = readSettings(databaseSettings, process.env).DATABASE_URL;
    await using database = openDatabase({ url, applicationName: 'touchstone destroy-data-key', connectionsMax: 1 });
    const outcome = await destroyDataKey(database, dataKeyId);
    if (outcome !== 'destroyed') throw new Error(`the data key is not destroyed: ${refusals[outcome]}`);
    console.log('The data key is destroyed: what it wrapped can be unwrapped by backups alone that hold it.');
  });
