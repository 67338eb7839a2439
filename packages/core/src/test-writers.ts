import type { AuditEvent } from './audit/audit-event.ts';
import type { AuditWriter, NewToken, RefreshUse, TokenWriter, UsedBefore } from './issue/ports.ts';
import { genesis } from './revisions/revision.ts';
import type { Revocation, RevocationIntent, RevocationWriter, TokenRevocation, TokenRevoked } from './revoke/ports.ts';
import { recordsIn } from './test-record.ts';
import type { TokenKey } from './tokens/token-key.ts';
import type { TokenRecord } from './tokens/token-record.ts';

/** Keeps the records that are inserted, with their events. */
export class TestTokens implements TokenWriter {
  /** The version that the registry has in the database; null: whatever a record says. */
  version: number | null = null;
  readonly inserted: { readonly record: TokenRecord; readonly event: AuditEvent }[] = [];
  readonly uses = new Map<string, RefreshUse>();
  #sequence = 0;

  async draw() {
    return { sequence: ++this.#sequence, now: 1_000, server: 'first' };
  }

  async insert(record: TokenRecord, event: AuditEvent): Promise<boolean> {
    if (this.version !== null && record.policyVersion !== this.version) return false;
    this.inserted.push({ record, event });
    return true;
  }

  async insertTogether(tokens: readonly NewToken[], use: RefreshUse | null): Promise<boolean | UsedBefore> {
    const before = use && (await this.findUse(use.key));
    if (before) return before;
    if (this.version !== null && tokens.some(({ record }) => record.policyVersion !== this.version)) return false;
    if (use) this.uses.set(use.key.key, use);
    this.inserted.push(...tokens);
    return true;
  }

  async findUse({ key }: TokenKey): Promise<UsedBefore | null> {
    const use = this.uses.get(key);
    return use ? { ...use, age: 0 } : null;
  }
}

/** Keeps the events that belong to no other write. */
export class TestTrail implements AuditWriter {
  readonly recorded: AuditEvent[] = [];

  async record(event: AuditEvent): Promise<void> {
    this.recorded.push(event);
  }
}

/** Keeps what was to be revoked. */
export class TestRevocations implements RevocationWriter {
  readonly intents: RevocationIntent[] = [];
  /** The only one that is stored. */
  record: TokenRecord | null = null;
  now = 0;

  async write(intent: RevocationIntent): Promise<Revocation> {
    this.intents.push(intent);
    return { ...intent, ceiling: null, head: { revision: 1, hash: '' }, requestText: '', recordedAt: 0 };
  }

  async writeToken({ intentOf, ...wanted }: TokenRevocation): Promise<TokenRevoked> {
    const stored = new Map(this.record && [[this.record.key.key, this.record]]);
    const [record = null] = recordsIn(stored, [wanted]);
    const intent = intentOf(record, this.now);
    return intent ? this.write(intent) : { revocationId: null, head: genesis };
  }
}
