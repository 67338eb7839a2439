import { randomUUID } from 'node:crypto';
import { type AuditCodec, type AuditEvent, drawRandom, StoreUnavailable, TouchstoneError } from '@touchstone/core';
import { StatementRefused } from './database.ts';
import { instantText } from './instants.ts';

/**
 * Counts one writer's events, so that a reader sees when one is missing. After a write whose outcome is not known the
 * count can't go on: another writer begins.
 */
export class OutboxWriter {
  readonly #instanceId: string;
  readonly #codec: AuditCodec;
  #name: string;
  #count = 0;

  constructor(instanceId: string, codec: AuditCodec) {
    this.#instanceId = instanceId;
    this.#codec = codec;
    this.#name = this.#newName();
  }

  #newName(): string {
    return `${this.#instanceId}/${drawRandom(8).toString('hex')}`;
  }

  get name(): string {
    return this.#name;
  }

  /** How many of this writer's events have been written. */
  get count(): number {
    return this.#count;
  }

  /** The event's fields for json_to_recordset, as `outboxFields` declares them. */
  fieldsOf(event: AuditEvent, occurredAt: number): Record<string, unknown> {
    const eventId = randomUUID();
    const { buffer, byteOffset, byteLength } = this.#codec.encode(event, eventId, occurredAt);
    return {
      event_id: eventId,
      tenant_id: event.tenantId,
      payload: `\\x${Buffer.from(buffer, byteOffset, byteLength).toString('hex')}`,
      occurred_at: instantText(occurredAt),
    };
  }

  /**
   * Runs a write that stores events numbered from `count + 1` on under `name`, and returns how many it stored. One at a
   * time.
   */
  async writing<Result extends { readonly written: number }>(write: () => Promise<Result>): Promise<Result> {
    try {
      const result = await write();
      this.#count += result.written;
      return result;
    } catch (error) {
      if (!isRolledBack(error)) {
        this.#name = this.#newName();
        this.#count = 0;
      }
      throw error;
    }
  }
}

/** Whether surely nothing was written: what a use case or the server refuses is taken back. */
const isRolledBack = (error: unknown): boolean =>
  error instanceof StatementRefused || (error instanceof TouchstoneError && !(error instanceof StoreUnavailable));

export const outboxFields = 'event_id uuid, payload bytea, occurred_at timestamptz';
