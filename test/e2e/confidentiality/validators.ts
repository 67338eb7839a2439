import { Code, ConnectError } from '@connectrpc/connect';
import { RefusalReason, ValidatorService } from '@touchstone/contracts';
import { clientOf, freePair, type ServiceProcess, type Stack } from '@touchstone/local-stack';

/** What a caller is told of a token, as far as it concerns an attacker. */
export type Verdict =
  | { readonly active: true; readonly scopes: readonly string[]; readonly claims: object }
  | { readonly active: false; readonly why: string };

/** Who asks for what. */
export interface Question {
  readonly token: string;
  readonly audience: string;
  readonly scope: string;
  /** The credential of a resource server. */
  readonly credential: string;
}

/** A fully consistent validation; that no answer can be had is a refusal too. */
export async function verdictOf(
  { grpc }: ServiceProcess,
  { token, audience, scope, credential }: Question,
): Promise<Verdict> {
  const validator = clientOf(ValidatorService, grpc, credential);
  try {
    const answer = await validator.validateToken({ token, audience, requiredScopes: [scope] }, { timeoutMs: 10_000 });
    if (answer.active) return { active: true, scopes: answer.scopes, claims: answer.claims ?? {} };
    return { active: false, why: reasonName(answer.reason) };
  } catch (error) {
    return { active: false, why: Code[ConnectError.from(error).code] };
  }
}

/** What a replica says when it refuses to begin on what the database holds; where that is away, it says a code. */
const closed = /a data key cannot be unwrapped|waiting for the database: (?![0-9A-Z_]+\b|it does not answer)/;

/**
 * A second validator, started now: it knows nothing but what the database says. Resolves once it is ready, or has said
 * that it will not begin on such a database: then it answers no call.
 */
export async function startFresh(stack: Stack): Promise<ServiceProcess> {
  const service = await stack.startAnother('validator', await freePair());
  const ended = service.untilReady().then(
    () => 'ready',
    () => 'ended',
  );
  await Promise.race([ended, untilClosed(service, ended)]);
  return service;
}

async function untilClosed({ http }: ServiceProcess, ended: Promise<string>): Promise<void> {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  while (!over) {
    const said = await fetch(`${http}/readyz`).then(
      (response) => response.text(),
      () => '',
    );
    if (closed.test(said)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const reasonName = (reason: number): string =>
  Object.entries(RefusalReason).find(([, number]) => number === reason)?.[0] ?? String(reason);
