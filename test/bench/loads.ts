import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { sizeDelimitedEncode } from '@bufbuild/protobuf/wire';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import {
  BatchIssueTokensRequestSchema,
  BatchValidateTokensRequestSchema,
  IssueTokenRequestSchema,
  RevokeTokenRequestSchema,
  RevokeTokensRequestSchema,
  Usage,
  ValidateTokenRequestSchema,
} from '@touchstone/contracts';
import type { Stack } from '@touchstone/local-stack';
import type { Load, Server } from './measure.ts';
import type { Tokens } from './tokens.ts';
import { claimsOf, userIdOf } from './users.ts';

/** Tokens in a call of the batch RPCs. */
export const batchSize = 100;

const single = { concurrency: 128, connections: 8 } as const;
const batch = { concurrency: 16, connections: 4 } as const;
/** Distinct calls of the batch RPCs: together they hold as many tokens as ghz can keep. */
const batchRequestsMax = 1_000;
/** Distinct users in calls of IssueToken. */
const usersMax = 20_000;

/** The echo that everything is compared with. */
export const nullLoad = (server: Server): Load => ({
  ...single,
  call: 'touchstone.bench.Null/Echo',
  server,
  credential: null,
  requests: () => [encode(StringValueSchema, { value: 'ping' })],
});

/** The loads of the stack. Each request of a token is for another one, drawn at random from those that are alive. */
export function stackLoads({ services, demo }: Stack, tokens: Tokens) {
  const { tenantId, appId, audience, scopes } = demo;
  const server = ({ grpc, pid }: { grpc: string; pid: number }): Server => ({ address: grpc, pid });
  const [issuer, validator, revocation] = [services.issuer, services.validator, services.revocation].map(server);
  const validating = (token: string) => ({ token, audience, requiredScopes: scopes.slice(0, 1) });
  const issuing = (user: number) => ({
    tenantId,
    appId,
    userId: userIdOf(user),
    audience,
    scopes: [...scopes],
    usage: Usage.INTERACTIVE,
    claims: claimsOf(user),
  });
  const batches = (countMax: number) => Array.from({ length: Math.min(countMax, batchRequestsMax) }, (_, at) => at);
  return {};
}
