#!/usr/bin/env node
import { StoreUnavailable } from '@touchstone/core';
import { whyOf } from '@touchstone/replica';
import { isNotSetUp } from '@touchstone/store-postgres';
import { KeyEncryptionFailed } from '@touchstone/token-methods';
import { Command } from 'commander';
import { bootstrapCommand } from './commands/bootstrap.ts';
import { destroyDataKeyCommand } from './commands/destroy-data-key.ts';
import { masterKeyCommand } from './commands/master-key.ts';
import { migrateCommand } from './commands/migrate.ts';
import { moveConsentKeysCommand } from './commands/move-consent-keys.ts';
import { replayRevocationsCommand } from './commands/replay-revocations.ts';
import { rewrapKeysCommand } from './commands/rewrap-keys.ts';

try {
  await new Command('touchstone')
    .description('Sets up a Touchstone installation, and keeps its keys and history.')
    .addCommand(masterKeyCommand)
    .addCommand(migrateCommand)
    .addCommand(bootstrapCommand)
    .addCommand(replayRevocationsCommand)
    .addCommand(rewrapKeysCommand)
    .addCommand(moveConsentKeysCommand)
    .addCommand(destroyDataKeyCommand)
    .parseAsync();
} catch (error) {
  console.error(`touchstone: ${wordsOf(error)}`);
  process.exitCode = 1;
}

/** What lies behind it says more than that the store can't be asked. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof KeyEncryptionFailed) return error.cause.message;
  const isOfDatabase = error instanceof StoreUnavailable || isNotSetUp(error) || error.message === '';
  return isOfDatabase ? `the database can't be used: ${whyOf(error)}` : error.message;
}
