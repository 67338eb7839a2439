import { fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { AuditEventSchema, TokenIssuedSchema } from '@touchstone/contracts/events';
import type { Actor, AuditAct, NewTokenRecord } from '@touchstone/core';
import { expect, test } from 'vitest';
import { auditCodec } from './audit-codec.ts';

const actor: Actor = {
  kind: 'operator',
  name: 'ops',
  credentialId: 'tok_0',
  peer: '10.0.0.1',
  traceId: '0af7651916cd43dd8448eb211c80319c',
};

const record: NewTokenRecord = {
  key: { partition: 20_454, key: '00'.repeat(16) },
  tokenClass: 'token',
  tenantId: 'ten_1',
  appId: 'app_1',
  userHandle: null,
  consentId: null,
  audience: 'https://orders',
  scopes: ['orders:read', 'orders:write'],
  usage: 'batch',
  method: 'reference',
  signingKeyId: null,
  policyVersion: 1,
  confirmation: null,
  lineage: [],
  sequence: 9,
  drawnOn: 'server',
  issuedAt: 1_767_225_600_000,
  expiresAt: 1_767_229_200_000,
  tokenHash: 'canary of the hash',
  tagKeyId: 1,
  sealKeyId: 1,
  sealed: Buffer.from('canary of the claims'),
};

const encode = (act: AuditAct, tenantId: string | null = 'ten_1') =>
  auditCodec.encode({ tenantId, actor, act }, 'event-1', 1_767_225_600_123);
const decode = (bytes: Uint8Array) => fromBinary(AuditEventSchema, bytes);

test('an issued token is told with what an auditor needs', () => {
  const event = decode(encode({ type: 'token_issued', record, credentialFor: '' }));
  expect(event).toMatchObject({ eventId: 'event-1', tenantId: 'ten_1', actor });
  expect(event.occurredAt).toEqual(timestampFromMs(1_767_225_600_123));
  expect(event.act).toMatchObject({
    case: 'tokenIssued',
    value: {
      tokenId: expect.stringMatching(/^tok_/),
      appId: 'app_1',
      userHandle: '',
      audience: 'https://orders',
      scopes: ['orders:read', 'orders:write'],
      method: 'reference',
      usage: 'batch',
      consentId: '',
      expiresAt: timestampFromMs(1_767_229_200_000),
      credentialFor: '',
    },
  });
});

test('an issued token is told in the bytes of the message with all its fields', () => {
  const parent = {
    tokenId: 'tok_parent',
    sequence: 8,
    tenantId: 'ten_1',
    appId: 'app_0',
    userHandle: 'handle',
    consentId: 'con_0',
    audience: 'https://front',
    signingKeyId: null,
    expiresAt: 1_767_229_200_001,
  };
  const full = { ...record, userHandle: 'handle', consentId: 'con_1', lineage: [parent] };
  const event = decode(encode({ type: 'token_issued', record: full, credentialFor: 'app:x' }, null));
  const value = event.act.value as MessageShape<typeof TokenIssuedSchema>;
  expect(Object.keys(value).sort()).toEqual(['$typeName', ...Object.keys(TokenIssuedSchema.field)].sort());
  expect(value).toMatchObject({
    userHandle: 'handle',
    consentId: 'con_1',
    credentialFor: 'app:x',
    parentTokenId: 'tok_parent',
  });
  expect(Buffer.from(toBinary(AuditEventSchema, event))).toEqual(
    Buffer.from(encode({ type: 'token_issued', record: full, credentialFor: 'app:x' }, null)),
  );
});

test('nothing else of the record leaves with it', () => {
  const bytes = Buffer.from(encode({ type: 'token_issued', record, credentialFor: '' }));
  expect(bytes.includes('canary')).toBe(false);
});

test.each<[AuditAct, object]>([
  [
    { type: 'issue_refused', appId: '', audience: 'touchstone', reason: 'scope_not_allowed', credentialFor: 'app:x' },
    {
      case: 'issueRefused',
      value: { appId: '', audience: 'touchstone', reason: 'scope_not_allowed', credentialFor: 'app:x' },
    },
  ],
  [
    {
      type: 'tokens_revoked',
      revocationId: 'rev_1',
      targetKind: 'app',
      targetKey: 'app_1',
      revision: 7,
      reason: 'leaked',
      includeCredentials: true,
    },
    {
      case: 'tokensRevoked',
      value: {
        revocationId: 'rev_1',
        targetKind: 'app',
        targetKey: 'app_1',
        revision: 7n,
        reason: 'leaked',
        includeCredentials: true,
      },
    },
  ],
  [
    { type: 'registry_changed', what: 'tenant', id: 'ten_1', change: 'disabled', reason: 'closed' },
    { case: 'registryChanged', value: { what: 'tenant', id: 'ten_1', change: 'disabled', reason: 'closed' } },
  ],
  [
    {
      type: 'consent_recorded',
      consentId: 'con_1',
      appId: 'app_1',
      userHandle: 'handle',
      grants: [{ audience: 'https://orders', scopes: ['orders:read', 'orders:write'] }],
      ttl: 3_600,
    },
    {
      case: 'consentRecorded',
      value: {
        consentId: 'con_1',
        appId: 'app_1',
        userHandle: 'handle',
        grants: [{ audience: 'https://orders', scopes: ['orders:read', 'orders:write'] }],
        ttl: { seconds: 3_600n, nanos: 0 },
      },
    },
  ],
])('%o is told, in the bytes of the message', (act, message) => {
  const bytes = encode(act);
  const event = decode(bytes);
  expect(event.act).toMatchObject(message);
  expect(Buffer.from(toBinary(AuditEventSchema, event))).toEqual(Buffer.from(bytes));
});

test('an act of the installation has no tenant', () => {
  const act: AuditAct = { type: 'registry_changed', what: 'tenant', id: 'ten_1', change: 'created', reason: '' };
  expect(decode(encode(act, null)).tenantId).toBe('');
});
