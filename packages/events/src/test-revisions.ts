import { randomBytes } from 'node:crypto';
import type { AuditRecord, Cut, RevisionContent, RevisionRecord, SealedRevision } from '@touchstone/core';
import fc from 'fast-check';
import { revisionCodec } from './revision-codec.ts';

/** Data for tests. */
export const cut: Cut = {
  revocationId: 'rev_1',
  kind: 'user',
  key: 'handle',
  tokenClass: 'token',
  ceiling: 7,
  sparedTokenId: null,
  coversUntil: null,
};

export const content: RevisionContent = { recordedAt: 1_767_225_600_123, cuts: [cut] };

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
const time = fc.integer({ min: 0, max: 253_402_300_799_999 });

const anyCut: fc.Arbitrary<Cut> = fc
  .record<Cut>({
    revocationId: text,
    kind: fc.constantFrom('token', 'user', 'app', 'app_user', 'tenant', 'all', 'resource_server'),
    key: text,
    tokenClass: fc.constantFrom('token', 'credential'),
    ceiling: fc.option(fc.maxSafeNat()),
    sparedTokenId: fc.option(text),
    coversUntil: fc.option(time),
  })
  .map((made) => ({ ...made, key: made.kind === 'all' ? '' : made.key }));

export const anyContent: fc.Arbitrary<RevisionContent> = fc.record({
  recordedAt: time,
  cuts: fc.array(anyCut, { minLength: 1, maxLength: 5 }),
  releases: fc.array(text, { minLength: 1, maxLength: 3 }),
  policies: fc.array(text, { minLength: 1, maxLength: 3 }),
});

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));

export const anySealed: fc.Arbitrary<SealedRevision> = fc.record({
  revision: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  hash,
  previousHash: hash,
  content: anyContent.map(revisionCodec.encode),
});

/** A revision of that number. The hashes are made up. */
export const sealed = (revision: number): RevisionRecord => ({
  revision,
  hash: randomBytes(32).toString('hex'),
  previousHash: randomBytes(32).toString('hex'),
  content: revisionCodec.encode(content),
  recordedAt: content.recordedAt,
});

export const auditRecord = (writerSequence: number, tenantId: string | null = 'ten_1'): AuditRecord => ({
  eventId: `event-${tenantId}-${writerSequence}`,
  tenantId,
  payload: Buffer.from([1, 2, 3]),
  occurredAt: 1_767_225_600_123,
  writer: 'issuer-1/a',
  writerSequence,
});
