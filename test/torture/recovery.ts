import { Usage } from '@touchstone/contracts';
import { until } from '../faults/until.ts';
import { longLife } from '../harness/world.ts';
import { type Arena, as, scopes, within } from './arena.ts';
import { methods } from './issuing.ts';
import type { Recorded } from './recorded.ts';

const milliseconds = 30_000;

/** What a call gives as soon as it does not fail. */
const able = <Answer>(who: string, call: () => Promise<Answer>): Promise<Answer> =>
  until(`${who} does its work`, () => call().catch(() => undefined), milliseconds);

/** Once all faults are over: whether every replica does its work again. */
export async function requireRecovered(
  { tenantId, front, apps, issuers, revocations, validators }: Arena,
  recorded: Recorded,
): Promise<void> {
  const request = {
    tenantId,
    appId: apps[0]?.appId ?? '',
    userId: 'afterwards',
    audience: front.audience,
    scopes,
    usage: Usage.TEST,
    ttl: longLife,
    method: methods.reference,
  };
  const ask = (token: string) =>
    Promise.all(
      validators.map(async ({ name, client }) => {
        const validation = { token, audience: front.audience, requiredScopes: scopes };
        return (await able(name, () => client.validateToken(validation, as(front)))).active;
      }),
    );
  try {
    for (const [i, issuer] of issuers.entries()) {
      const { token } = await able('an issuer', () => issuer.issueToken(request, within));
      const before = await ask(token);
      const revocation = revocations[i % revocations.length] as Arena['revocations'][number];
      const tokenOrId = { case: 'token', value: token } as const;
      await able('a revocation service', () => revocation.revokeToken({ tokenOrId, reason: 'torture' }, within));
      const after = await ask(token);
      if (before.includes(false) || after.includes(true)) recorded.unexpected.push('a wrong answer once all was over');
    }
  } catch (error) {
    recorded.unexpected.push(`once all was over, ${(error as Error).message}`);
  }
}
