import {
  IssueTokenRequestSchema,
  RevokeTokenRequestSchema,
  RevokeTokensRequestSchema,
  ValidateTokenRequestSchema,
} from '@touchstone/contracts';
import type { Stack } from '@touchstone/local-stack';
import { encode, issueRequest, revokeTokenRequest, serverOf, single, validateRequest } from '../loads.ts';
import type { Bench, Load } from '../measure.ts';
import { revokeRequest } from '../revoke-all.ts';
import { seedTokens } from '../seed.ts';
import { shuffled, type Tokens } from '../tokens.ts';
import { userIdOf } from '../users.ts';
import type { Member } from './members.ts';

/** Tokens that are spread over their members and users in a way of their own. */
export interface Crowd {
  readonly name: string;
  /** Take turns, in every load. */
  readonly members: readonly Member[];
  readonly users: number;
  /** Of each member. */
  readonly tokens: readonly Tokens[];
}

/** Distinct requests to issue: more would only fill ghz's memory. */
const issuedMax = 20_000;

/** Makes the tokens of a crowd: of so many users, who take turns as the members do. */
export async function openCrowd(
  bench: Bench,
  stack: Stack,
  { name, members, count, users }: { name: string; members: readonly Member[]; count: number; users: number },
): Promise<Crowd> {
  bench.onProgress(`Tokens of ${name} ...`);
  const ofEach = members.map((): string[] => []);
  const tokens = await seedTokens(bench, stack, count, { holders: members, users });
  for (const [turn, token] of tokens.entries()) ofEach[turn % members.length]?.push(token);
  return { name, members, users, tokens: ofEach.map(shuffled) };
}

/** What is done to a crowd, each call by the member whose turn it is. */
export function loadsOf({ services }: Stack, crowd: Crowd): Record<CrowdCall, Load> {
  const { members, users } = crowd;
  const memberAt = (turn: number) => members[turn % members.length] as Member;
  const identities = members.map((member) => member.identityToken);
  const operators = members.map((member) => member.operatorToken);
  const whole = (count: number) => Math.ceil(count / members.length) * members.length;
  const turns = (count: number, request: (turn: number) => Uint8Array) =>
    Array.from({ length: whole(count) }, (_, turn) => request(turn));
  const drawn = (count: number) =>
    interleaved(crowd.tokens.map((tokens) => tokens.draw(Math.ceil(count / members.length))));
  const revoking = { ...single, server: serverOf(services.revocation), isOnce: true };
  return {
    IssueToken: {
      ...single,
      call: 'touchstone.v1.IssuerService/IssueToken',
      server: serverOf(services.issuer),
      credential: identities,
      requests: (countMax) =>
        turns(Math.min(countMax, issuedMax), (turn) =>
          encode(IssueTokenRequestSchema, issueRequest(memberAt(turn), turn % users)),
        ),
    },
    ValidateToken: {
      ...single,
      call: 'touchstone.v1.ValidatorService/ValidateToken',
      server: serverOf(services.validator),
      credential: members.map((member) => member.resourceServerToken),
      requests: (countMax) =>
        drawn(countMax).map((token, turn) =>
          encode(ValidateTokenRequestSchema, validateRequest(memberAt(turn), token)),
        ),
    },
    RevokeToken: {
      ...revoking,
      call: 'touchstone.v1.RevocationService/RevokeToken',
      credential: identities,
      requests: (countMax) =>
        drawn(countMax).map((token) => encode(RevokeTokenRequestSchema, revokeTokenRequest(token))),
      onSent: (count) => {
        for (const [at, tokens] of crowd.tokens.entries()) tokens.spend(Math.ceil((count - at) / members.length));
      },
    },
    'RevokeTokens(user)': {
      ...revoking,
      call: 'touchstone.v1.RevocationService/RevokeTokens',
      credential: identities,
      requests: (countMax) =>
        turns(countMax, (turn) => {
          const value = { tenantId: memberAt(turn).tenantId, userId: userIdOf(turn % users) };
          return encode(RevokeTokensRequestSchema, revokeRequest({ case: 'user', value }));
        }),
    },
    'RevokeTokens(app)': {
      ...revoking,
      call: 'touchstone.v1.RevocationService/RevokeTokens',
      credential: operators,
      requests: (countMax) =>
        turns(countMax, (turn) =>
          encode(RevokeTokensRequestSchema, revokeRequest({ case: 'app', value: { appId: memberAt(turn).appId } })),
        ),
    },
    'RevokeTokens(tenant)': {
      ...revoking,
      call: 'touchstone.v1.RevocationService/RevokeTokens',
      credential: operators,
      requests: (countMax) =>
        turns(countMax, (turn) => {
          const value = { tenantId: memberAt(turn).tenantId };
          return encode(RevokeTokensRequestSchema, revokeRequest({ case: 'tenant', value }));
        }),
    },
  };
}

export type CrowdCall =
  | 'IssueToken'
  | 'ValidateToken'
  | 'RevokeToken'
  | 'RevokeTokens(user)'
  | 'RevokeTokens(app)'
  | 'RevokeTokens(tenant)';

/** The first of each, then the second of each: as far as all have one. */
function interleaved(columns: readonly (readonly string[])[]): string[] {
  const rows = Math.min(...columns.map((column) => column.length));
  return Array.from({ length: rows * columns.length }, (_, turn) => {
    return columns[turn % columns.length]?.[Math.floor(turn / columns.length)] as string;
  });
}
