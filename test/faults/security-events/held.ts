import type { Clients } from '../../harness/world.ts';
import { outcomeOf } from '../outcome.ts';

/** A token or a credential, and what the services say of it. */
export interface Held {
  readonly text: string;
  /** Of the resource server that it is for. */
  readonly audience: string;
  /** Whether it is honoured: a token afresh and from what is remembered, a credential by each service, a refresh token at its use. */
  answers(): Promise<boolean[]>;
}

const within = { timeoutMs: 20_000 };

/** A token that this resource server is asked to honour; one that is itself refused honours none. */
export const tokenFor = (audience: string, { validator }: Clients, text: string): Held => ({
  text,
  audience,
  answers: () =>
    Promise.all(
      [
        { case: 'fullyConsistent', value: true } as const,
        { case: 'maxStaleness', value: { seconds: 60n } } as const,
      ].map(async (requirement) => {
        const request = { token: text, audience, requiredScopes: ['orders:read'], consistency: { requirement } };
        const answer = await answerOf(validator.validateToken(request, within));
        return typeof answer === 'object' && answer.active;
      }),
    ),
});

/** A refresh token, as its app has it: what it is renewed by takes its place. It is worth what it renews. */
export function refreshTokenFor(audience: string, { issuer }: Clients, first: string): Held {
  let text = first;
  return {
    get text() {
      return text;
    },
    audience,
    async answers() {
      const answer = await answerOf(issuer.refreshToken({ refreshToken: text }, within));
      if (typeof answer === 'object') text = answer.refreshToken;
      return [typeof answer === 'object'];
    },
  };
}

/** A credential that each service is asked to know. */
export const credentialOf = ({ credential, issuer, validator, revocation }: Clients): Held => ({
  text: credential,
  audience: 'touchstone',
  answers: async () => {
    // Of a caller that is known these are refused for another reason.
    const calls = [
      issuer.batchIssueTokens({}, within),
      validator.batchValidateTokens({}, within),
      revocation.getRevocation({ revocationId: 'rvk_0' }, within),
    ];
    return (await Promise.all(calls.map((call) => answerOf<unknown>(call)))).map(
      (answer) => answer !== 'unknown caller',
    );
  },
});

type Answer<Answered> = Answered | 'unknown caller' | 'refused';

async function answerOf<Answered>(call: Promise<Answered>): Promise<Answer<Answered>> {
  const outcome = await outcomeOf(call);
  if (outcome.ok) return outcome.answer;
  if (outcome.code === 'Unauthenticated') return 'unknown caller';
  if (['PermissionDenied', 'InvalidArgument', 'FailedPrecondition'].includes(outcome.code)) return 'refused';
  throw new Error(`${outcome.code}: ${outcome.message}`);
}
