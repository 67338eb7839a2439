import { readSettings } from '@touchstone/service-kit';
import { migrate } from '@touchstone/store-postgres';
import { Command } from 'commander';
import { databaseSettings } from '../settings.ts';

export const migrateCommand = new Command('migrate')
  .description('bring the database up to date; several may do it at once (DATABASE_URL or DATABASE_URL_FILE)')
  .action(async () => {
    const applied: string[] = [];
    await migrate(readSettings(databaseSettings, process.env).DATABASE_URL, (name) => applied.push(name));
    console.log(applied.length > 0 ? applied.map((name) => `applied ${name}`).join('\n') : 'nothing to do');
  });
