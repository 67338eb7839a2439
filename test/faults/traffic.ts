import type { IssueTokenResponse, ValidateTokenResponse } from '@touchstone/contracts';
import { parseRevision } from '@touchstone/core';
import { expect } from 'vitest';
import { atLeast, type Calls, type Freshness, full, staleBy } from './calls.ts';
import { type Failure, type Outcome, outcomeOf } from './outcome.ts';

/** What was promised while traffic ran, and what was answered that may not have been. */
export interface TrafficReport {
  /** Issued; nobody asked for their revocation. */
  readonly live: readonly IssueTokenResponse[];
  /** Their revocation returned. */
  readonly revoked: readonly IssueTokenResponse[];
  readonly failures: readonly (Failure & { readonly call: string })[];
  /** Answers against what had returned before. */
  readonly wrong: readonly string[];
  /** How many calls were answered. */
  readonly answered: number;
}

export interface Traffic {
  /** As it grows. */
  readonly report: TrafficReport;
  /** Lets the calls in flight end. */
  stop(): Promise<TrafficReport>;
}

/** Issues, validates and revokes over and over, several at once, and holds each answer against those before it. */
export function startTraffic(calls: Calls, workers = 8): Traffic {
  const report = {
    live: [] as IssueTokenResponse[],
    revoked: [] as IssueTokenResponse[],
    failures: [] as (Failure & { call: string })[],
    wrong: [] as string[],
    answered: 0,
  };
  let stopped = false;

  async function tried<Answer>(call: string, promise: Promise<Answer>): Promise<Answer | undefined> {
    const outcome = await outcomeOf(promise);
    if (outcome.ok) report.answered++;
    else report.failures.push({ ...outcome, call });
    return outcome.ok ? outcome.answer : undefined;
  }

  async function validated({ token, tokenId }: IssueTokenResponse, expected: boolean): Promise<void> {
    const answer = await tried('validate', calls.validate(token));
    if (answer && answer.active !== expected) report.wrong.push(`${tokenId} is ${expected ? 'refused' : 'active'}`);
  }

  async function work(isRevoking: boolean): Promise<void> {
    while (!stopped) {
      const issued = await tried('issue', calls.issue());
      if (!issued) continue;
      await validated(issued, true);
      if (!isRevoking) report.live.push(issued);
      else if (await tried('revoke', calls.revoke(issued.token))) {
        report.revoked.push(issued);
        await validated(issued, false);
      }
    }
  }

  const works = Array.from({ length: workers }, (_, worker) => work(worker % 2 === 0));
  return {
    report,
    async stop() {
      stopped = true;
      await Promise.all(works);
      return report;
    },
  };
}

/** The same calls, of which validations come in turn: fully consistent, or from the cache, for all that was returned by then. */
export function inEveryMode(calls: Calls): Calls {
  let latest = { number: -1, text: '' };
  let asked = 0;
  const revoked = new Set<string>();
  function freshnessFor(token: string): Freshness {
    const turn = asked++ % 3;
    if (turn === 1 && latest.number >= 0) return atLeast(latest.text);
    // Of one that was revoked a moment ago such an answer may say anything.
    return turn === 2 && !revoked.has(token) ? staleBy(1) : full;
  }
  return {
    ...calls,
    validate: (token) => calls.validate(token, freshnessFor(token)),
    async revoke(token) {
      revoked.add(token);
      const answer = await calls.revoke(token);
      const number = parseRevision(answer.revision)?.revision ?? -1;
      if (number > latest.number) latest = { number, text: answer.revision };
      return answer;
    },
  };
}

/** Asks of every token whether what was promised of it holds, in this mode; gives the ids of those of which it does not. */
export async function broken(calls: Calls, { live, revoked }: TrafficReport, freshness = full): Promise<string[]> {
  const wrong: string[] = [];
  const check = async ({ token, tokenId }: IssueTokenResponse, expected: boolean) => {
    if ((await calls.validate(token, freshness)).active !== expected) wrong.push(tokenId);
  };
  await Promise.all([...live.map((one) => check(one, true)), ...revoked.map((one) => check(one, false))]);
  return wrong;
}

/** Expects that nobody was told that the token is good: some may have been told nothing. */
export function requireRefused(outcomes: readonly Outcome<ValidateTokenResponse>[]): void {
  for (const outcome of outcomes) {
    if (outcome.ok) expect(outcome.answer.active).toBe(false);
    else expect(outcome.code).toMatch(/Unavailable|DeadlineExceeded/);
  }
}
