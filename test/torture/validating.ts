import { RefusalReason } from '@touchstone/contracts';
import { scopes, within } from './arena.ts';
import type { Held } from './held.ts';
import type { Answered, Freshness } from './history.ts';
import type { Random } from './random.ts';
import { attempt, noteRevision, type Recorded } from './recorded.ts';

export async function validate(
  { issued: { tokenId }, presented, server: { audience, validators }, isBrief }: Held,
  random: Random,
  recorded: Recorded,
): Promise<void> {
  const { name, client } = random.of(validators);
  const { freshness, consistency } = freshnessOf(random, recorded);
  const request = {
    ...random.of(presented),
    audience,
    requiredScopes: scopes,
    consistency: { requirement: consistency },
  };
  const start = performance.now();
  const answer = await attempt(recorded, 'ValidateToken', () => client.validateToken(request, within));
  if (!answer) return;
  const { active, reason } = answer;
  if (isBrief && reason === RefusalReason.EXPIRED) return;
  const answered: Answered = {
    type: 'answered',
    start,
    end: performance.now(),
    tokenId,
    by: name,
    freshness,
    active,
  };
  recorded.events.push(answered);
  if (active && answer.tokenId !== tokenId) recorded.unexpected.push(`ValidateToken told another token's id`);
  noteRevision(recorded, answer.revision);
}

function freshnessOf(random: Random, { latest }: Recorded) {
  const choice = random.next();
  if (choice < 0.4 || (choice > 0.8 && latest.number < 0)) {
    return {
      freshness: { mode: 'full' } satisfies Freshness,
      consistency: { case: 'fullyConsistent', value: true } as const,
    };
  }
  if (choice <= 0.8) {
    const milliseconds = random.of([1, 20, 200, 2_000]);
    const value = { seconds: BigInt(Math.floor(milliseconds / 1_000)), nanos: (milliseconds % 1_000) * 1e6 };
    return {
      freshness: { mode: 'bounded', milliseconds } satisfies Freshness,
      consistency: { case: 'maxStaleness', value } as const,
    };
  }
  return {
    freshness: { mode: 'revision', revision: latest.number } satisfies Freshness,
    consistency: { case: 'atLeastRevision', value: latest.text } as const,
  };
}
