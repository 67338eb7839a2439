import { type Draw, drawsOf } from './draws.ts';
import { type Answered, type Event, type Issued, pastOf, type Revoked } from './history.ts';
import { lineageOf } from './lineage.ts';
import { RevokedIndex } from './revoked-index.ts';

/** A token, and all that happened to it. */
export interface Case {
  readonly token: Issued;
  /** When its sequence was drawn; in no order where what others tell can't be. */
  readonly told: Draw;
  /** What was revoked of it and of what it was derived from, and may touch it. */
  readonly threats: readonly Threat[];
  /** What was revoked of them last before their sequences were drawn. */
  readonly bygone: () => Revoked | undefined;
  /** When the grant was taken back that it was issued by. */
  readonly grants: readonly Revoked[];
  readonly answers: readonly Answered[];
}

/** A revocation of a token, or of one that it was derived from. */
export interface Threat {
  readonly revoked: Revoked;
  /** The token, and what it was derived from, up to the one that is meant. */
  readonly line: readonly Issued[];
  /** When the sequence of the one that is meant was drawn. */
  readonly drawn: Draw;
}

/** Those of which all is known: what is not known of a token is not known of what was derived from it. */
export function casesOf(events: readonly Event[]): Case[] {
  const revoked = new RevokedIndex(events.filter((event) => event.type === 'revoked'));
  const answers = Map.groupBy(
    events.filter((event) => event.type === 'answered'),
    ({ tokenId }) => tokenId,
  );
  const tokens = events.filter((event) => event.type === 'issued');
  const known = new Map(tokens.map((token) => [token.tokenId, token]));
  const tellerOf = drawsOf(tokens);
  return tokens.flatMap((token) => {
    const line = lineageOf(token, known);
    if (!line) return [];
    const own = answers.get(token.tokenId) ?? [];
    const until = own.reduce((last, { end }) => Math.max(last, end), token.end);
    const drawOf = (member: Issued) => soundDraw(tellerOf(member), member);
    const threats = line.flatMap((member, i) => {
      const [drawn, upTo] = [drawOf(member), line.slice(0, i + 1)];
      const met = revoked.of(member, { from: drawn.after.start, until });
      return met.map((one) => ({ revoked: one, line: upTo, drawn }));
    });
    const bygone = () =>
      line
        .flatMap((member) => revoked.lastBefore(member, drawOf(member).after.start) ?? [])
        .sort((a, b) => a.end - b.end)
        .at(-1);
    return [{ token, told: tellerOf(token), threats, bygone, grants: revoked.ofGrant(token), answers: own }];
  });
}

export const isInOrder = ({ after }: Draw, token: Issued): boolean => after.start <= token.end;

/** What others tell counts for nothing where it can't be. */
export const soundDraw = (drawn: Draw, token: Issued): Draw =>
  isInOrder(drawn, token) ? drawn : { after: token, before: token };

/** However fresh they were. What came before the token had been answered may have come before its record. */
export const refusalsOf = ({ token, answers }: Case): Answered[] =>
  answers.filter(({ active, start }) => !active && start > token.end);

/** Whether the answer knew of it. */
export const knows = (answer: Answered, revoked: Revoked): boolean =>
  isKnownTo(answer, revoked) || hadToKnow(answer, revoked);

export const isKnownTo = (answer: Answered, { revision }: Revoked): boolean =>
  answer.revision !== null && revision !== null && revision <= answer.revision;

export const hadToKnow = (answer: Answered, { end, revision }: Revoked): boolean =>
  end < pastOf(answer) ||
  (answer.freshness.mode === 'revision' && revision !== null && revision <= answer.freshness.revision);

/** What a refusal of the token can rest on: what it has outlived once it was honoured by who knew of it. */
export function causesOf({ threats, answers }: Case): (refusal: Answered) => Threat[] {
  const actives = answers.filter(({ active }) => active);
  const past = Math.max(...actives.map(pastOf));
  const known = Math.max(...actives.map(knownUpTo));
  const isOutlived = ({ end, revision }: Revoked) => end < past || (revision !== null && revision <= known);
  const lasting = threats.filter(({ revoked }) => !isOutlived(revoked));
  return (refusal) => lasting.filter(({ revoked }) => revoked.start < refusal.end);
}

const knownUpTo = ({ revision, freshness }: Answered): number =>
  Math.max(revision ?? -1, freshness.mode === 'revision' ? freshness.revision : -1);
