import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { AppSchema, RefreshPolicySchema } from '@touchstone/contracts';
import type { App, RefreshPolicy, Stored } from '@touchstone/core';
import { required } from '@touchstone/service-kit';
import { fromCallerIdentity, toCallerIdentity } from './caller-identity.ts';
import { fromSeconds, toSeconds } from './duration.ts';
import { clientTypes, hostingTypes, methods } from './enums.ts';

const environmentDefault = 'production';
/** Seconds. */
const idleDefault = 14 * 86_400;

/** @throws InvalidField */
export const toApp = (message: MessageShape<typeof AppSchema>): App => ({
  appId: message.appId,
  tenantId: message.tenantId,
  displayName: message.displayName,
  clientType: clientTypes.nameOf(message.clientType),
  hostingType: hostingTypes.nameOf(message.hostingType),
  grants: message.grants.map(({ audience, scopes }) => ({ audience, scopes })),
  methods: message.methods.length > 0 ? message.methods.map(methods.nameOf) : ['reference'],
  refresh: toRefreshPolicy(message.refresh),
  environment: message.environment || environmentDefault,
  tokensPerMinuteMax: message.tokensPerMinuteMax || null,
  tokenTtlMax: toSeconds('app.token_ttl_max', message.tokenTtlMax),
  identities: message.identities.map(toCallerIdentity),
});

export const fromApp = ({ entry, etag, disabled }: Stored<App>): MessageInitShape<typeof AppSchema> => ({
  ...entry,
  clientType: clientTypes.valueOf(entry.clientType),
  hostingType: hostingTypes.valueOf(entry.hostingType),
  grants: entry.grants.map(({ audience, scopes }) => ({ audience, scopes: [...scopes] })),
  methods: entry.methods.map(methods.valueOf),
  refresh: fromRefreshPolicy(entry.refresh),
  tokensPerMinuteMax: entry.tokensPerMinuteMax ?? 0,
  tokenTtlMax: fromSeconds(entry.tokenTtlMax),
  identities: (entry.identities ?? []).map(fromCallerIdentity),
  etag,
  disabled,
});

function toRefreshPolicy(policy: MessageShape<typeof RefreshPolicySchema> | undefined): RefreshPolicy | null {
  if (!policy) return null;
  return {
    ttlMax: required(toSeconds('app.refresh.ttl_max', policy.ttlMax) ?? undefined),
    idleMax: toSeconds('app.refresh.idle_max', policy.idleMax) ?? idleDefault,
    grace: toSeconds('app.refresh.grace', policy.grace) ?? 0,
  };
}

const fromRefreshPolicy = (policy: RefreshPolicy | null) =>
  policy
    ? {
        ttlMax: fromSeconds(policy.ttlMax),
        idleMax: fromSeconds(policy.idleMax),
        grace: fromSeconds(policy.grace),
      }
    : undefined;
