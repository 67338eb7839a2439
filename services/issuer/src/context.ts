import { IssuerService } from '@touchstone/contracts';
import {
  type CredentialPorts,
  consistentRecords,
  type DisablePorts,
  type ExchangePorts,
  type IssuePorts,
  isDead,
  type PolicyPorts,
  type PreviewPorts,
  type PublicSigningKey,
  type ReadConsentPorts,
  type RecordConsentPorts,
  type RefreshPorts,
  type RegisterPorts,
  type SigningKeyPorts,
  type TokenUsePorts,
} from '@touchstone/core';
import { auditCodec } from '@touchstone/events';
import { openReplica, type Replica } from '@touchstone/replica';
import type { ServiceRuntime } from '@touchstone/service-kit';
import {
  auditWriter,
  consentStore,
  policyStore,
  proofTaker,
  rateLimiter,
  recordReader,
  registry,
  registryWriter,
  releaseReader,
  revocationWriter,
  signingKeyStore,
  tokenCounter,
  tokenWriter,
  useReader,
} from '@touchstone/store-postgres';
import {
  answerSeal,
  callerKeys,
  encryptionKeys,
  openMethods,
  proofVerifier,
  signers,
  signingKeyMaker,
  tenantKeyMaker,
} from '@touchstone/token-methods';
import type { IssuerConfig } from './config.ts';
import { startJobs } from './jobs.ts';

/** What the issuer's handlers work with. */
export interface IssuerContext extends AsyncDisposable {
  readonly replica: Replica;
  readonly issuing: IssuePorts;
  readonly exchanging: ExchangePorts;
  readonly refreshing: RefreshPorts;
  readonly registering: DisablePorts & RegisterPorts;
  readonly deciding: PolicyPorts & PreviewPorts & TokenUsePorts;
  readonly credentials: CredentialPorts;
  readonly consenting: RecordConsentPorts & ReadConsentPorts;
  readonly signing: SigningKeyPorts;
}

/** Where clients send exchanges, by Connect's path, which is gRPC's. */
const exchangeUri = (issuer: string): string =>
  `${issuer.replace(/\/$/, '')}/${IssuerService.typeName}/${IssuerService.method.exchangeToken.name}`;

/** Waits, and says so, while the database is away. */
export async function openContext(config: IssuerConfig, runtime: ServiceRuntime): Promise<IssuerContext> {
  await using opening = new AsyncDisposableStack();
  const replica = opening.use(await openReplica('issuer', config, runtime));
  const { database, keys, dataKeys, consentKeys, handles, chain, records, follower, instanceId } = replica;
  const stored = { mac: keys.mac, codec: auditCodec, instanceId };
  const registered = registry(database, keys.mac);
  const consents = consentStore(database, stored);
  const isDeadKey = (key: PublicSigningKey) => isDead(key, follower);
  const signingKeys = signingKeyStore(database, { ...stored, isDead: isDeadKey });
  const tokens = tokenWriter(database, instanceId, auditCodec);
  const audit = auditWriter(database, instanceId, auditCodec);
  const revocations = revocationWriter(database, { chain, codec: auditCodec, instanceId });
  const methods = openMethods({
    keys,
    signing: signers(signingKeys, dataKeys, { isDead: isDeadKey }),
    consentKeys,
    issuer: config.ISSUER_URL,
  });
  opening.use(startJobs(config, { signingKeys, dataKeys, isDead: isDeadKey }, runtime));
  const uses = useReader(database);
  const resources = opening.move();
  const issuing = {
    registry: registered,
    consents,
    methods,
    handles,
    tokens,
    rates: rateLimiter(database),
    revocations,
    audit,
    follower,
  };
  return {
    replica,
    issuing,
    exchanging: {
      ...issuing,
      records,
      proofs: { ...proofVerifier, ...proofTaker(database) },
      releases: releaseReader(database, keys.mac, follower),
      uri: exchangeUri(config.ISSUER_URL),
    },
    refreshing: { ...issuing, records, answers: answerSeal },
    registering: {
      registry: registered,
      handles,
      revocations,
      entries: registryWriter(database, { ...stored, chain }),
      encryptionKeys,
      tenantKeys: tenantKeyMaker(dataKeys),
      callerKeys,
      follower,
    },
    deciding: {
      registry: registered,
      policies: policyStore(database, { ...stored, chain }),
      tokenCounter: tokenCounter(database),
      uses,
      // Apart from what others wait for: ids can be made up, of days of which there is no partition.
      records: consistentRecords(recordReader(database, true), follower, {
        batchMax: 100,
        lanes: 1,
        waitingMax: 1_000,
      }),
    },
    credentials: { registry: registered, methods, handles, tokens, audit, follower },
    consenting: { registry: registered, handles, consents, consentKeys, follower, uses },
    signing: { registry: registered, signingKeys, maker: signingKeyMaker(dataKeys), follower },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
