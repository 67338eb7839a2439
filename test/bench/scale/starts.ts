import { IssuerService, RevokeTokensRequestSchema, ValidatorService } from '@touchstone/contracts';
import { clientOf, freePair, type Stack } from '@touchstone/local-stack';
import { WrongAnswer } from '../checks.ts';
import { runGhz } from '../ghz.ts';
import { encode, issueRequest, validateRequest } from '../loads.ts';
import { type Bench, median } from '../measure.ts';
import { revokeRequest } from '../revoke-all.ts';
import { userIdOf } from '../users.ts';

/** How long a validator takes from its start until it is ready. */
export interface Started {
  readonly starts: number;
  /** Milliseconds. */
  readonly median: number;
  readonly longest: number;
}

const starts = 7;
const callers = 128;

/** Starts a validator again and again, on each of the stacks by turns. @throws WrongAnswer */
export async function measureStarts<Name extends string>(
  { signal, onProgress }: Pick<Bench, 'signal' | 'onProgress'>,
  stacks: Readonly<Record<Name, Stack>>,
): Promise<Record<Name, Started>> {
  onProgress('A validator starts ...');
  const names = Object.keys(stacks) as Name[];
  const rounds: Record<Name, number>[] = [];
  for (let round = 0; round <= starts; round++) {
    const taken = {} as Record<Name, number>;
    for (const name of names) {
      signal.throwIfAborted();
      taken[name] = await startOnce(stacks[name]);
    }
    rounds.push(taken);
  }
  // The first is not counted: what it reads is not in memory yet.
  const counted = rounds.slice(1);
  return Object.fromEntries(
    names.map((name) => {
      const milliseconds = counted.map((taken) => taken[name]);
      return [name, { starts, median: median(milliseconds), longest: Math.max(...milliseconds) }];
    }),
  ) as Record<Name, Started>;
}

async function startOnce(stack: Stack): Promise<number> {
  const { demo, services } = stack;
  const { token } = await clientOf(IssuerService, services.issuer.grpc, demo.identityToken).issueToken(
    issueRequest(demo, 0),
  );
  const ports = await freePair();
  const from = performance.now();
  await using validator = await stack.startAnother('validator', ports);
  await validator.untilReady();
  const milliseconds = performance.now() - from;
  const client = clientOf(ValidatorService, validator.grpc, demo.resourceServerToken);
  const { active } = await client.validateToken(validateRequest(demo, token));
  if (!active) throw new WrongAnswer('a validator that is ready refuses a token that is alive');
  return milliseconds;
}

/** Revokes the tokens of so many users, each by a call: as many marks are what a validator loads when it starts. */
export async function makeMarks(bench: Bench, { demo, services }: Stack, count: number): Promise<void> {
  bench.onProgress(`Revoking the tokens of ${count.toLocaleString('en')} users ...`);
  const { tenantId } = demo;
  const requests = Array.from({ length: count }, (_, user) =>
    encode(RevokeTokensRequestSchema, revokeRequest({ case: 'user', value: { tenantId, userId: userIdOf(user) } })),
  );
  await runGhz(bench, {
    address: services.revocation.grpc,
    call: 'touchstone.v1.RevocationService/RevokeTokens',
    requests,
    credential: demo.operatorToken,
    concurrency: callers,
    connections: callers,
    rate: null,
    end: { calls: count },
  });
}
