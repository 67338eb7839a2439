import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { sizeDelimitedEncode } from '@bufbuild/protobuf/wire';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import {
  BatchIssueTokensRequestSchema,
  BatchValidateTokensRequestSchema,
  IssueTokenRequestSchema,
  RevokeTokenRequestSchema,
  Usage,
  ValidateTokenRequestSchema,
} from '@touchstone/contracts';
import type { Stack } from '@touchstone/local-stack';
import type { Load, Server } from './measure.ts';
import type { Holder } from './seed.ts';
import type { Tokens } from './tokens.ts';
import { claimsOf, userIdOf } from './users.ts';

/** Tokens in a call of the batch RPCs. */
export const batchSize = 100;
/** How many of those calls are under way at a time. */
export const batchConcurrency = 16;

/** How many calls are under way at a time, and on how many connections. */
export type Shape = Pick<Load, 'concurrency' | 'connections'>;

/** Each caller has a connection of its own, and one call under way: as many as it takes to keep the services busy. */
export const single: Shape = { concurrency: 128, connections: 128 };
/** Callers share connections. Then the null RPC costs little more than half, for its calls are read and written together. */
const shared: Shape = { concurrency: 128, connections: 32 };
/** Fewer callers yet, on fewer connections, as replicas of a service have them. */
export const few: Shape = { concurrency: 64, connections: 4 };
const batch: Shape = { concurrency: batchConcurrency, connections: batchConcurrency };
/** Distinct calls of a batch RPC, and distinct users: more would only fill ghz's memory. */
const batchesMax = 1_000;
const usersMax = 20_000;
/** As many as a validator remembers with its usual settings, and a staleness that it always meets. */
const rememberedMax = 10_000;
export const stale = { requirement: { case: 'maxStaleness', value: { seconds: 5n, nanos: 0 } } } as const;

/** The echo that everything is compared with. */
export const nullLoad = (server: Server, shape: Shape = single): Load => ({
  ...shape,
  call: 'touchstone.bench.Null/Echo',
  server,
  credential: null,
  requests: () => [encode(StringValueSchema, { value: 'ping' })],
});

/** The validator's standard health check, of the whole server. */
export const healthLoad = ({ services }: Stack): Load => ({
  ...nullLoad(serverOf(services.validator)),
  call: 'grpc.health.v1.Health/Check',
  requests: () => [encode(StringValueSchema, {})],
});

/** ValidateToken and its batch, fully consistent: each call with other tokens, drawn at random from those alive; and of those that are remembered. */
export function validateLoads(
  { services, demo }: Stack,
  tokens: Tokens,
): Record<'one' | 'shared' | 'batch' | 'cached' | 'cachedBatch', Load> & { readonly remembered: readonly string[] } {
  const about = { server: serverOf(services.validator), credential: demo.resourceServerToken };
  const requestOf = (token: string) => validateRequest(demo, token);
  const one: Load = {
    ...single,
    ...about,
    call: 'touchstone.v1.ValidatorService/ValidateToken',
    requests: (countMax) => tokens.draw(countMax).map((token) => encode(ValidateTokenRequestSchema, requestOf(token))),
  };
  const inBatches = (chosen: readonly string[], ask: typeof requestOf): Uint8Array[] =>
    batchesOf(chosen).map((chunk) => encode(BatchValidateTokensRequestSchema, { requests: chunk.map(ask) }));
  const batches: Load = {
    ...batch,
    ...about,
    call: 'touchstone.v1.ValidatorService/BatchValidateTokens',
    requests: (countMax) => inBatches(tokens.draw(Math.min(countMax, batchesMax) * batchSize), requestOf),
  };
  const remembered = tokens.draw(rememberedMax);
  const bounded = (token: string) => ({ ...requestOf(token), consistency: stale });
  return {
    one,
    shared: { ...one, ...shared },
    batch: batches,
    cached: { ...one, requests: () => remembered.map((token) => encode(ValidateTokenRequestSchema, bounded(token))) },
    cachedBatch: { ...batches, requests: () => inBatches(remembered, bounded) },
    remembered,
  };
}

/** IssueToken and its batch: each token for another user, with claims. */
export function issueLoads({ services, demo }: Stack): Record<'one' | 'batch', Load> {
  const about = { server: serverOf(services.issuer), credential: demo.identityToken };
  const users = (countMax: number) => Array.from({ length: Math.min(countMax, usersMax) }, (_, user) => user);
  return {
    one: {
      ...single,
      ...about,
      call: 'touchstone.v1.IssuerService/IssueToken',
      requests: (countMax) => users(countMax).map((user) => encode(IssueTokenRequestSchema, issueRequest(demo, user))),
    },
    batch: {
      ...batch,
      ...about,
      call: 'touchstone.v1.IssuerService/BatchIssueTokens',
      requests: (countMax) =>
        batchesOf(users(countMax * batchSize)).map((chunk) =>
          encode(BatchIssueTokensRequestSchema, { requests: chunk.map((user) => issueRequest(demo, user)) }),
        ),
    },
  };
}

/** RevokeToken: each call of a token that is alive. */
export const revokeLoad = (
  { services, demo }: Stack,
  tokens: Tokens,
  how: Shape & Pick<Load, 'beside'>,
  onRevoked: (tokens: readonly string[]) => void,
): Load => ({
  ...how,
  call: 'touchstone.v1.RevocationService/RevokeToken',
  server: serverOf(services.revocation),
  credential: demo.operatorToken,
  requests: (countMax) =>
    tokens.draw(countMax).map((token) => encode(RevokeTokenRequestSchema, revokeTokenRequest(token))),
  isOnce: true,
  onSent: (count) => onRevoked(tokens.spend(count)),
});

/** What is asked of a token: one of the scopes that it has, at its own audience. */
export const validateRequest = ({ audience, scopes }: Pick<Holder, 'audience' | 'scopes'>, token: string) => ({
  token,
  audience,
  requiredScopes: scopes.slice(0, 1),
});

/** That it is revoked alone. */
export const revokeTokenRequest = (token: string) =>
  ({ tokenOrId: { case: 'token', value: token }, reason: 'bench' }) as const;

/** A token for one of the bench's users. */
export const issueRequest = ({ tenantId, appId, audience, scopes }: Holder, user: number) => ({
  tenantId,
  appId,
  userId: userIdOf(user),
  audience,
  scopes: [...scopes],
  usage: Usage.INTERACTIVE,
  claims: claimsOf(user),
});

/** The request with its size before it, as ghz reads it. */
export const encode = <Message extends DescMessage>(schema: Message, request: MessageInitShape<Message>): Uint8Array =>
  sizeDelimitedEncode(schema, create(schema, request));

export const serverOf = ({ grpc, pid }: Stack['services']['issuer']): Server => ({ address: grpc, pid });

/** The tokens, or whatever, of one call each. */
export const batchesOf = <Item>(items: readonly Item[]): Item[][] =>
  Array.from({ length: Math.ceil(items.length / batchSize) }, (_, at) =>
    items.slice(at * batchSize, (at + 1) * batchSize),
  );
