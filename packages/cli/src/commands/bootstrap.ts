import { scopesOfKind } from '@touchstone/core';
import { bootstrapOperator } from '@touchstone/replica';
import { readSettings } from '@touchstone/service-kit';
import { Command } from 'commander';
import { keyedSettings } from '../settings.ts';

interface Flags {
  readonly tenant: readonly string[];
  readonly platform: boolean;
  readonly days: string;
  readonly replace: boolean;
  readonly json: boolean;
}

/** What every first operator gets; `tokens:revoke_all` makes it a platform operator. */
const platformScope = 'tokens:revoke_all';
const usualScopes = scopesOfKind.operator.filter((scope) => scope !== platformScope);

export const bootstrapCommand = new Command('bootstrap')
  .description(
    "make the first operator's credential (DATABASE_URL, and MASTER_KEY_FILE or AWS_KMS_KEY_ID); operators make all others",
  )
  .argument('<name>', 'the operator, for the audit trail')
  .requiredOption('--tenant <id...>', 'the tenants to act in; they need not exist yet')
  .option('--platform', 'may also revoke all tokens of the installation', false)
  .option('--days <number>', 'how long it lives, at most 90', '30')
  .option('--replace', 'cut off what was bootstrapped for this name before', false)
  .option('--json', 'print the result as JSON', false)
  .action(async (name: string, flags: Flags) => {
    const { DATABASE_URL: databaseUrl, ...keys } = readSettings(keyedSettings, process.env);
    const days = Number(flags.days);
    if (!(days > 0 && days <= 90)) throw new Error('--days must be a number, above 0 and at most 90');
    const scopes = flags.platform ? [...usualScopes, platformScope] : usualScopes;
    const ttl = Math.round(days * 86_400);
    const issued = await bootstrapOperator(
      { name, tenantIds: flags.tenant, scopes, ttl, replace: flags.replace },
      { databaseUrl, keys },
    );
    const expiresAt = new Date(issued.expiresAt).toISOString();
    if (flags.json)
      return console.log(
        JSON.stringify({ credential: issued.credential, token_id: issued.tokenId, expires_at: expiresAt }),
      );
    console.error(`The credential of ${name} (${issued.tokenId}, until ${expiresAt}), told once:`);
    console.log(issued.credential);
  });
