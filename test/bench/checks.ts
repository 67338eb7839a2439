import type { MessageShape } from '@bufbuild/protobuf';
import {
  IssuerService,
  RefusalReason,
  RevocationService,
  type ValidateTokenResponseSchema,
  ValidatorService,
} from '@touchstone/contracts';
import { clientOf, type Stack } from '@touchstone/local-stack';
import { batchConcurrency, batchesOf, batchSize, issueRequest, stale, validateRequest } from './loads.ts';
import { revokeAllRequest } from './revoke-all.ts';
import type { Tokens } from './tokens.ts';
import { releasedClaims } from './users.ts';

/** What was measured is not what was meant: the numbers are worth nothing. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';
}

const sampleSize = batchConcurrency * batchSize;
const rounds = 20;

/** Where tokens are validated, and by whom. */
export interface Checked extends Pick<Stack, 'services'> {
  readonly demo: Pick<Stack['demo'], 'audience' | 'scopes' | 'resourceServerToken'>;
}

/** A sample of the tokens must be honoured, with the claims that are released and no others. @throws WrongAnswer */
export const requireHonoured = (stack: Checked, tokens: Tokens): Promise<void> =>
  requireAllHonoured(stack, tokens.draw(sampleSize));

/** As `requireHonoured`, from the cache. @throws WrongAnswer */
export const requireRemembered = (stack: Checked, tokens: readonly string[]): Promise<void> =>
  requireAllHonoured(stack, tokens, stale);

async function requireAllHonoured(
  stack: Checked,
  tokens: readonly string[],
  consistency?: typeof stale,
): Promise<void> {
  for (const { active, claims } of await validateAll(stack, tokens, consistency)) {
    if (!active) throw new WrongAnswer('a token that is alive was refused');
    const names = Object.keys(claims ?? {}).toSorted();
    if (names.join() !== releasedClaims.toSorted().join()) throw new WrongAnswer(`released claims: ${names}`);
  }
}

/** All of these tokens must be refused. @throws WrongAnswer */
export async function requireRefused(stack: Checked, tokens: readonly string[]): Promise<void> {
  for (const { active, reason } of await validateAll(stack, tokens)) {
    if (active) throw new WrongAnswer('a token that was revoked was honoured');
    if (reason !== RefusalReason.NOT_HONOURED) throw new WrongAnswer(`refused for another reason: ${reason}`);
  }
}

/**
 * A token that was just issued must be honoured, and refused by a validation that starts after a revocation of all has
 * returned; time and again. @throws WrongAnswer
 */
export async function requireRevokeAllHolds(stack: Stack): Promise<void> {
  const { demo, services } = stack;
  const issuer = clientOf(IssuerService, services.issuer.grpc, demo.identityToken);
  const validator = clientOf(ValidatorService, services.validator.grpc, demo.resourceServerToken);
  const revocation = clientOf(RevocationService, services.revocation.grpc, demo.operatorToken);
  for (let round = 0; round < rounds; round++) {
    const { token } = await issuer.issueToken(issueRequest(demo, round));
    const before = await validator.validateToken(validateRequest(demo, token));
    if (!before.active) throw new WrongAnswer('a token that was just issued was refused');
    await revocation.revokeTokens(revokeAllRequest());
    const after = await validator.validateToken(validateRequest(demo, token));
    if (after.active) throw new WrongAnswer('a token was honoured after all were revoked');
  }
}

/** As many batches at once as under load must give a token for each request. @throws WrongAnswer */
export async function requireIssued({ services, demo }: Stack): Promise<void> {
  const issuer = clientOf(IssuerService, services.issuer.grpc, demo.identityToken);
  const requests = Array.from({ length: batchSize }, (_, user) => issueRequest(demo, user));
  const batches = Array.from({ length: batchConcurrency }, () => issuer.batchIssueTokens({ requests }));
  for (const { outcome } of (await Promise.all(batches)).flatMap(({ results }) => results)) {
    if (outcome.case !== 'issued') throw new WrongAnswer(`no token: ${outcome.value?.message}`);
  }
}

type Answer = MessageShape<typeof ValidateTokenResponseSchema>;

async function validateAll(
  { services, demo }: Checked,
  tokens: readonly string[],
  consistency: typeof stale | undefined = undefined,
): Promise<Answer[]> {
  const validator = clientOf(ValidatorService, services.validator.grpc, demo.resourceServerToken);
  const batches = batchesOf(tokens).map((batch) =>
    validator.batchValidateTokens({
      requests: batch.map((token) => ({ ...validateRequest(demo, token), ...(consistency && { consistency }) })),
    }),
  );
  return (await Promise.all(batches)).flatMap(({ results }) =>
    results.map(({ outcome }) => {
      if (outcome.case !== 'validated') throw new WrongAnswer(`no answer: ${outcome.value?.message}`);
      return outcome.value;
    }),
  );
}
