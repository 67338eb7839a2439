import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { LocalPostgres } from '@touchstone/local-stack';

const run = promisify(execFile);
type Data = Pick<LocalPostgres, 'dataDir'>;
const backupOf = ({ dataDir }: Data): string => `${dataDir}-backup`;

/** Copies the data of a Postgres that has stopped, owners and all. */
export async function backUpData(postgres: Data): Promise<void> {
  await run('cp', ['-a', postgres.dataDir, backupOf(postgres)]);
}

/** Puts the copy in the place of the data of a Postgres that has stopped. What was done since is lost. */
export async function putBackData(postgres: Data): Promise<void> {
  await rm(postgres.dataDir, { recursive: true });
  await run('mv', [backupOf(postgres), postgres.dataDir]);
}
