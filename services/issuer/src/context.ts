import type { CredentialPorts, DisablePorts, IssuePorts, Registry } from '@touchstone/core';
import { auditCodec } from '@touchstone/events';
import { openReplica, type Replica } from '@touchstone/replica';
import type { ServiceRuntime } from '@touchstone/service-kit';
import { auditWriter, registry, revocationWriter, tokenWriter } from '@touchstone/store-postgres';
import type { IssuerConfig } from './config.ts';

/** What the issuer's handlers work with. */
export interface IssuerContext extends AsyncDisposable {
  readonly replica: Replica;
  readonly issuing: IssuePorts;
  readonly registering: DisablePorts & { readonly registry: Registry };
  readonly credentials: CredentialPorts;
}

/** Waits, and says so, while the database is away. */
export async function openContext(config: IssuerConfig, runtime: ServiceRuntime): Promise<IssuerContext> {
  const replica = await openReplica('issuer', config, runtime);
  const { database, keys, chain, methods, follower, instanceId } = replica;
  const entries = registry(database, { mac: keys.mac, codec: auditCodec, instanceId });
  const tokens = tokenWriter(database, instanceId, auditCodec);
  const audit = auditWriter(database, instanceId, auditCodec);
  const revocations = revocationWriter(database, { chain, codec: auditCodec, instanceId });
  const { handles } = keys;
  return {
    replica,
    issuing: { registry: entries, methods, handles, tokens, audit, follower },
    registering: { registry: entries, handles, revocations },
    credentials: { registry: entries, methods, handles, tokens, audit },
    [Symbol.asyncDispose]: () => replica[Symbol.asyncDispose](),
  };
}
