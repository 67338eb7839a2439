#!/usr/bin/env node
import { Command } from 'commander';
import { bootstrapCommand } from './commands/bootstrap.ts';
import { masterKeyCommand } from './commands/master-key.ts';
import { migrateCommand } from './commands/migrate.ts';

try {
  await new Command('touchstone')
    .description('Sets up a Touchstone installation.')
    .addCommand(masterKeyCommand)
    .addCommand(migrateCommand)
    .addCommand(bootstrapCommand)
    .parseAsync();
} catch (error) {
  console.error(`touchstone: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
