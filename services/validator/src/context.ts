import { TokenCache, Uses, type ValidatePorts } from '@touchstone/core';
import { openReplica, type Replica } from '@touchstone/replica';
import type { ServiceRuntime } from '@touchstone/service-kit';
import { proofTaker, releaseReader, useWriter } from '@touchstone/store-postgres';
import { proofVerifier } from '@touchstone/token-methods';
import type { ValidatorConfig } from './config.ts';
import { startJobs } from './jobs.ts';

/** What the validator's handlers work with. */
export interface ValidatorContext extends AsyncDisposable {
  readonly replica: Replica;
  readonly validating: ValidatePorts;
}

/** Waits, and says so, while the database is away. */
export async function openContext(config: ValidatorConfig, runtime: ServiceRuntime): Promise<ValidatorContext> {
  await using opening = new AsyncDisposableStack();
  const replica = opening.use(await openReplica('validator', config, runtime));
  const { database, keys, methods, records, follower, presence } = replica;
  const cache = new TokenCache(follower, config.CACHE_MEBIBYTES * 1024 * 1024);
  runtime.metrics.gauge('touchstone_cache_tokens', 'Tokens that are remembered.', () => cache.size);
  runtime.metrics.gauge('touchstone_cache_bytes', 'Memory for them, as it is counted.', () => cache.bytes);
  const uses = new Uses();
  opening.use(startJobs(uses, useWriter(database), runtime));
  const resources = opening.move();
  return {
    replica,
    validating: {
      methods,
      records,
      cache,
      follower,
      presence,
      releases: releaseReader(database, keys.mac, follower),
      handles: replica.handles,
      proofs: { ...proofVerifier, ...proofTaker(database) },
      uses,
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
