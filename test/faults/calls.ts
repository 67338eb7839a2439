import type { MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import type {
  ConsistencySchema,
  IssueTokenResponse,
  RevocationTargetSchema,
  RevokeTokenResponse,
  RevokeTokensResponse,
  ValidateTokenResponse,
} from '@touchstone/contracts';
import type { ServiceName, Stack } from '@touchstone/local-stack';
import { shared } from '../harness/shared-stack.ts';
import { clientsOf, unique, type World } from '../harness/world.ts';

/** Whose tokens are revoked. */
export type Target = NonNullable<MessageInitShape<typeof RevocationTargetSchema>['target']>;
/** How fresh an answer must be. */
export type Freshness = NonNullable<MessageInitShape<typeof ConsistencySchema>['requirement']>;

export const full: Freshness = { case: 'fullyConsistent', value: true };
export const staleBy = (seconds: number): Freshness => ({
  case: 'maxStaleness',
  value: durationFromMs(seconds * 1_000),
});
export const atLeast = (revision: string): Freshness => ({ case: 'atLeastRevision', value: revision });

/** What tests of faults do over and over, each with a deadline. */
export interface Calls {
  issue(over?: Record<string, unknown>): Promise<IssueTokenResponse>;
  /** Fully consistent, unless less is asked for. */
  validate(token: string, freshness?: Freshness): Promise<ValidateTokenResponse>;
  revoke(token: string): Promise<RevokeTokenResponse>;
  /** Revokes all that belongs to a target. */
  revokeTarget(target: Target): Promise<RevokeTokensResponse>;
}

export interface CallOptions {
  /** Longer than a call may take, whatever is broken. */
  readonly timeoutMs?: number;
  /** Other replicas than the stack's own: `host:port`. */
  readonly at?: Partial<Record<ServiceName, string>>;
  /** The credential of another operator than the world's own. */
  readonly operator?: string;
}

/** Calls of the world's own callers: tokens are revoked by the operator. */
export function callsOf(stack: Stack, world: World, options: CallOptions = {}): Calls {
  const { timeoutMs = 10_000, at = {}, operator = world.operator.credential } = options;
  const addresses = { ...shared(stack), ...at };
  const { issuer } = clientsOf(addresses, world.identity.credential);
  const { validator } = clientsOf(addresses, world.resourceServer.credential);
  const { revocation } = clientsOf(addresses, operator);
  const within = { timeoutMs };
  return {
    issue: (over) => issuer.issueToken(world.request(over), within),
    validate: (token, requirement = full) =>
      validator.validateToken(
        { token, audience: world.audience, requiredScopes: ['orders:read'], consistency: { requirement } },
        within,
      ),
    revoke: (token) =>
      revocation.revokeToken({ tokenOrId: { case: 'token', value: token }, reason: 'a fault test' }, within),
    revokeTarget: (target) =>
      revocation.revokeTokens({ target: { target }, reason: 'a fault test', idempotencyKey: unique('fault') }, within),
  };
}
