import { formatRevision, type Replayed } from '@touchstone/core';
import { replayLostRevocations } from '@touchstone/replica';
import { readSettings } from '@touchstone/service-kit';
import { Command } from 'commander';
import { replaySettings } from '../settings.ts';
import { teller } from '../teller.ts';

interface Flags {
  readonly to?: string | undefined;
  readonly json: boolean;
}

export const replayRevocationsCommand = new Command('replay-revocations')
  .description(
    'after a restore, before the services are started: do again what was revoked since the backup, from the topic of revisions ' +
      '(KAFKA_BROKERS, MASTER_KEY_FILE or AWS_KMS_KEY_ID, DATABASE_URL of the login that migrates); again where it was interrupted',
  )
  .option('--to <revision>', 'where the topic has several ends: which one')
  .option('--json', 'print the result as JSON', false)
  .action(async ({ to, json }: Flags) => {
    const settings = readSettings(replaySettings, process.env);
    const {
      DATABASE_URL: databaseUrl,
      KAFKA_BROKERS: brokers,
      FENCE_MILLISECONDS: fenceMilliseconds,
      ...keys
    } = settings;
    const tell = teller();
    const replayed = await replayLostRevocations(
      { databaseUrl, keys, brokers, fenceMilliseconds, to: to ?? null },
      {
        read: (done, total) => tell(`read ${done} of ${total} messages`, done >= total),
        found: warn,
        replayed: (done, total) => tell(`replayed ${done} of ${total} revisions`, done >= total),
      },
    );
    if (json) return console.log(JSON.stringify(resultOf(replayed)));
    console.log(
      `${replayed.revisions} revisions replayed: the history goes on after number ${replayed.head.revision}. ` +
        'What was issued with a refresh token before is refused, for which of them had been used is not known: the users log in anew. ' +
        'The services may be started.',
    );
  });

const resultOf = ({ head, revisions, releases, policies, foreign }: Replayed) => ({
  revision: formatRevision(head),
  number: head.revision,
  replayed: revisions,
  release_changes: releases,
  policy_changes: policies,
  foreign_messages: foreign,
});

/** What the operator has to see to. */
function warn({ releases, policies, foreign }: Replayed): void {
  if (foreign > 0) console.error(`${foreign} messages on the topic are not of this installation, and were not taken`);
  for (const audience of releases) {
    console.error(`what ${audience} is shown was changed after the backup, and is as before again: change it anew`);
  }
  for (const tenantId of policies) {
    console.error(
      `rules of ${tenantId} that hold for issued tokens, or the kinds of its apps, were changed after the backup, and are as before again: change them anew`,
    );
  }
}
