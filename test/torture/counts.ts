import { casesOf, causesOf, refusalsOf } from './cases.ts';
import type { Event } from './history.ts';
import { lineageOf } from './lineage.ts';
import type { Recorded } from './recorded.ts';
import { historiesOf } from './restored.ts';

/** How many there were of each kind. */
export function countsOf({ events, restores, rotations, batched }: Recorded): Record<string, number> {
  const tokens = new Map(events.flatMap((event) => (event.type === 'issued' ? [[event.tokenId, event]] : [])));
  const counts: Record<string, number> = { 'rotated a signing key': rotations, 'answered in a batch': batched };
  const families = new Set<string>();
  const count = (kind: string) => {
    counts[kind] = (counts[kind] ?? 0) + 1;
  };
  for (const event of events) {
    switch (event.type) {
      case 'issued':
        count(`issued ${event.method}`);
        if (event.consentId !== null) count('issued under a consent');
        if (event.method === 'refresh_token') break;
        if (event.parentId !== null) count(`issued under ${(lineageOf(event, tokens)?.length ?? 0) - 1} ancestors`);
        if (event.sequence === null) count('issued, and the record not read');
        break;
      case 'revoked': {
        const { level, tokenId } = event.target;
        if (event.revision === null) count(`perhaps revoked ${level}`);
        else if (level !== 'family' || !families.has(tokenId)) count(`revoked ${level}`);
        if (level === 'family' && event.revision !== null) families.add(tokenId);
        break;
      }
      case 'completed':
        count('told to be complete');
        break;
      case 'answered': {
        const said = event.active ? 'active' : 'refused';
        count(`answered ${event.freshness.mode} ${said}`);
        count(`answered of ${tokens.get(event.tokenId)?.method} ${said}`);
        if (!event.by.includes(':')) count(`${event.by} ${said}`);
      }
    }
  }
  for (const level of onlyCausesIn(historiesOf(events, restores))) count(`refused by ${level} alone`);
  return Object.fromEntries(Object.entries(counts).sort());
}

/** For each token that was refused by what was revoked at one level, and could have been by nothing else: that level. */
function onlyCausesIn(histories: readonly Event[][]): string[] {
  return histories.flatMap(casesOf).flatMap((one) => {
    const causesFor = causesOf(one);
    const causes = refusalsOf(one).map(
      (refusal) => new Set(causesFor(refusal).map(({ revoked }) => revoked.target.level)),
    );
    return [...(causes.find(({ size }) => size === 1) ?? [])];
  });
}

/** Tells, in a line, how many there are by now. Only what is new is looked at: all that a long run has done is too much. */
export function tellingCounts(events: readonly Event[]): () => string {
  const counts = { issued: 0, revoked: 0, answered: 0, completed: 0 } satisfies Record<Event['type'], number>;
  let counted = 0;
  return () => {
    for (const { type } of events.slice(counted)) counts[type]++;
    counted = events.length;
    const [issued, revoked, answered] = [counts.issued, counts.revoked, counts.answered].map((n) =>
      n.toLocaleString('en'),
    );
    return `${issued} issued, ${revoked} revoked, ${answered} answers`;
  };
}
