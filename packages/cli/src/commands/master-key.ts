import { createMasterKeyFile } from '@touchstone/token-methods';
import { Command } from 'commander';

export const masterKeyCommand = new Command('master-key')
  .description('make a new master key, in a file that only its owner can read')
  .argument('<file>', 'where to; never written over')
  .action(async (file: string) => {
    await createMasterKeyFile(file);
    console.log(
      `${file} holds a new master key. Back it up apart from the database: without it no token is honoured again.`,
    );
  });
