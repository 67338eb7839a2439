import {
  type AuditRecord,
  type Outbox,
  type OutboxLeader,
  type RevisionRecord,
  StoreUnavailable,
} from '@touchstone/core';
import type { Publisher } from './relay.ts';
import { auditRecord, sealed } from './test-revisions.ts';

/** What goes wrong at a step. */
export type Fault = 'none' | 'fails' | 'fails afterwards' | 'loses the lead' | 'is killed';

type Step = 'lead' | 'read revisions' | 'read audit' | 'mark revisions' | 'mark audit' | 'revisions' | 'audit';

/** An outbox and topics in memory, which fail as they are told to. */
export class World implements Outbox, Publisher {
  /** Says what goes wrong at the next step. */
  fault: (step: Step) => Fault = () => 'none';
  /** Kills the relay, as far as a process can be killed from inside. */
  kill = () => {};
  readonly steps: Step[] = [];
  readonly published = { revisions: [] as number[], audit: [] as string[] };
  readonly marked = { revision: 0, audit: 0 };
  leaders = 0;
  /** Whether a revision was published before the one before it was acknowledged. */
  overtaken = false;
  #revisions: RevisionRecord[] = [];
  #audit: AuditRecord[] = [];
  #acknowledged = 0;
  #lost = new AbortController();

  write(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#revisions.push(sealed(this.#revisions.length + 1));
      this.#audit.push(auditRecord(this.#audit.length + 1));
    }
  }

  get isDone(): boolean {
    return this.marked.revision === this.#revisions.length && this.marked.audit === this.#audit.length;
  }

  async lead(): Promise<OutboxLeader | null> {
    await this.#step('lead', () => {});
    return this.leaders > 0 ? null : this.#newLeader();
  }

  #newLeader(): OutboxLeader {
    this.leaders++;
    const lost = new AbortController();
    this.#lost = lost;
    let read = 0;
    return {
      lost: lost.signal,
      nextRevisions: (limit) =>
        this.#step('read revisions', () => this.#revisions.slice(this.marked.revision, this.marked.revision + limit)),
      markRevisions: (revision) =>
        this.#step('mark revisions', () => {
          this.marked.revision = revision;
        }),
      nextAuditRecords: (limit) =>
        this.#step('read audit', () => {
          const records = this.#audit.slice(this.marked.audit, this.marked.audit + limit);
          read = this.marked.audit + records.length;
          return records;
        }),
      markAuditRecords: () =>
        this.#step('mark audit', () => {
          this.marked.audit = read;
        }),
      [Symbol.asyncDispose]: async () => {
        this.leaders--;
      },
    };
  }

  publishRevisions(batch: readonly RevisionRecord[]): Promise<void> {
    this.overtaken ||= (batch[0]?.revision ?? 0) > this.#acknowledged + 1;
    return this.#step('revisions', () => {
      for (const { revision } of batch) this.published.revisions.push(revision);
    }).then(() => {
      this.#acknowledged = Math.max(this.#acknowledged, batch.at(-1)?.revision ?? 0);
    });
  }

  publishAudit(batch: readonly AuditRecord[]): Promise<void> {
    return this.#step('audit', () => {
      for (const { eventId } of batch) this.published.audit.push(eventId);
    });
  }

  async #step<Result>(step: Step, act: () => Result): Promise<Result> {
    this.steps.push(step);
    const fault = this.fault(step);
    await new Promise(setImmediate);
    if (fault === 'fails') throw new StoreUnavailable();
    const result = act();
    if (fault === 'loses the lead') this.#lost.abort();
    if (fault === 'is killed') this.kill();
    if (fault !== 'none') throw new StoreUnavailable();
    return result;
  }
}
