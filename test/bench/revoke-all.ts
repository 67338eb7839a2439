import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { type RevocationTargetSchema, RevokeTokensRequestSchema } from '@touchstone/contracts';
import type { Stack } from '@touchstone/local-stack';
import pg from 'pg';
import { runGhz } from './ghz.ts';
import { encode } from './loads.ts';
import { type Bench, median, percentile } from './measure.ts';

/** What it costs to revoke every token, one call after the other. */
export interface RevokedAll {
  readonly records: number;
  readonly calls: number;
  /** Milliseconds, of the call that found all of them alive. */
  readonly first: number;
  /** Milliseconds. */
  readonly median: number;
  readonly p99: number;
}

/** As many as it takes for the service to have compiled what it runs: else the first of two measurements is the slower. */
const warmUpCalls = 200;
const calls = 100;
/** A user without tokens. */
const nobody = 'nobody';

/** Revokes all tokens, again and again, each time under a key of its own. */
export async function measureRevokeAll(bench: Bench, stack: Stack, records: number): Promise<RevokedAll> {
  bench.onProgress(`RevokeTokens(all) with ${records.toLocaleString('en')} records ...`);
  await checkpoint(stack.postgres.adminUrl);
  const { tenantId } = stack.demo;
  const requests = Array.from({ length: warmUpCalls + calls }, (_, at) =>
    encode(
      RevokeTokensRequestSchema,
      at < warmUpCalls ? revokeRequest({ case: 'user', value: { tenantId, userId: nobody } }) : revokeAllRequest(),
    ),
  );
  const made = await runGhz(bench, {
    address: stack.services.revocation.grpc,
    call: 'touchstone.v1.RevocationService/RevokeTokens',
    requests,
    credential: stack.demo.operatorToken,
    concurrency: 1,
    connections: 1,
    rate: null,
    end: { calls: requests.length },
  });
  const milliseconds = made.slice(warmUpCalls).map((call) => call.milliseconds);
  const sorted = milliseconds.toSorted((a, b) => a - b);
  return {
    records,
    calls: sorted.length,
    first: milliseconds[0] ?? Number.NaN,
    median: median(sorted),
    p99: percentile(sorted, 0.99),
  };
}

/** A request to revoke every token of a target, unlike any other. */
export const revokeRequest = (target: NonNullable<MessageInitShape<typeof RevocationTargetSchema>['target']>) => ({
  target: { target },
  reason: 'bench',
  idempotencyKey: `bench-${randomUUID()}`,
});

export const revokeAllRequest = () => revokeRequest({ case: 'all', value: {} });

/** After one, each page that is touched is written in full once: the same for few and many records. */
export async function checkpoint(adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  await client.query('checkpoint');
  await client.end();
}
