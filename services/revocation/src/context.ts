import {
  type ErasePorts,
  type RevokeTokenPorts,
  type RevokeTokensPorts,
  Shares,
  type WatchRevocationPorts,
  watchesMax,
} from '@touchstone/core';
import { auditCodec } from '@touchstone/events';
import { openReplica, type Replica } from '@touchstone/replica';
import type { ServiceRuntime } from '@touchstone/service-kit';
import {
  censusReader,
  consentReader,
  erasureStore,
  publicKeyReader,
  registry,
  revocationReader,
  revocationWriter,
} from '@touchstone/store-postgres';
import type { RevocationConfig } from './config.ts';
import { startJobs } from './jobs.ts';

/** What the revocation service's handlers work with. */
export interface RevocationContext extends AsyncDisposable {
  readonly replica: Replica;
  readonly revoking: RevokeTokenPorts;
  readonly revokingMany: RevokeTokensPorts;
  readonly following: WatchRevocationPorts;
  readonly erasing: ErasePorts;
}

/** Waits, and says so, while the database is away. */
export async function openContext(config: RevocationConfig, runtime: ServiceRuntime): Promise<RevocationContext> {
  await using opening = new AsyncDisposableStack();
  const replica = opening.use(await openReplica('revocation', config, runtime));
  const { database, keys, handles, chain, methods, follower, instanceId } = replica;
  const revocations = revocationWriter(database, {
    chain,
    codec: auditCodec,
    instanceId,
    onCommitted: (sealed, content) => follower.takeOwn(sealed, content),
  });
  const entries = registry(database, keys.mac);
  const consents = consentReader(database, keys.mac);
  opening.use(startJobs(config, database, runtime));
  const resources = opening.move();
  return {
    replica,
    revoking: { methods, revocations, follower },
    revokingMany: {
      registry: entries,
      handles,
      consents,
      signingKeys: publicKeyReader(database, keys.mac),
      revocations,
    },
    erasing: {
      registry: entries,
      handles,
      consents,
      revocations,
      erasures: erasureStore(database, instanceId, auditCodec),
    },
    following: {
      revocations: revocationReader(database, chain),
      census: censusReader(database),
      watches: new Shares(watchesMax),
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
