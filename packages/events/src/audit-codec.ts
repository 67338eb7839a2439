import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  ActorSchema,
  AuditEventSchema,
  type ConsentRecordedSchema,
  TokenIssuedSchema,
} from '@touchstone/contracts/events';
import { FieldWriter } from '@touchstone/contracts/field-writer';
import { type Actor, type AuditAct, type AuditCodec, type AuditEvent, idOf } from '@touchstone/core';

/** Audit events as touchstone.events.v1.AuditEvent. */
export const auditCodec: AuditCodec = {
  encode({ tenantId, actor, act }, eventId, occurredAt) {
    if (act.type === 'token_issued') return issueBytes({ tenantId, actor }, act, eventId, occurredAt);
    const event = create(AuditEventSchema, {
      eventId,
      occurredAt: timestampFromMs(occurredAt),
      tenantId: tenantId ?? '',
      actor,
      act: messageOf(act),
    });
    return toBinary(AuditEventSchema, event);
  },
};

type ActMessage = NonNullable<MessageInitShape<typeof AuditEventSchema>['act']>;

function messageOf(act: Exclude<AuditAct, TokenIssued>): ActMessage {
  switch (act.type) {
    case 'issue_refused':
      return { case: 'issueRefused', value: act };
    case 'tokens_revoked':
      return { case: 'tokensRevoked', value: { ...act, revision: BigInt(act.revision) } };
    case 'registry_changed':
      return { case: 'registryChanged', value: act };
    case 'consent_recorded':
      return { case: 'consentRecorded', value: consentOf(act) };
  }
}

const consentOf = ({
  grants,
  ttl,
  ...consent
}: Extract<AuditAct, { type: 'consent_recorded' }>): MessageInitShape<typeof ConsentRecordedSchema> => ({
  ...consent,
  grants: grants.map(({ audience, scopes }) => ({ audience, scopes: [...scopes] })),
  ttl: durationFromMs(ttl * 1_000),
});

type TokenIssued = Extract<AuditAct, { type: 'token_issued' }>;

const { field } = AuditEventSchema;
const who = ActorSchema.field;
const issued = TokenIssuedSchema.field;
const writer = new FieldWriter();

/** The same, written field by field: there is one for each token. A record holds more than may leave the database. */
const issueBytes = (
  { tenantId, actor }: Pick<AuditEvent, 'tenantId' | 'actor'>,
  act: TokenIssued,
  eventId: string,
  occurredAt: number,
): Uint8Array =>
  writer.written(() => {
    writer.text(field.eventId, eventId);
    writer.instant(field.occurredAt, occurredAt);
    writer.text(field.tenantId, tenantId ?? '');
    writer.message(field.actor, () => writeActor(actor));
    writer.message(field.tokenIssued, () => writeIssue(act));
  });

function writeActor({ kind, name, credentialId, peer, traceId }: Actor): void {
  writer.text(who.kind, kind);
  writer.text(who.name, name);
  writer.text(who.credentialId, credentialId);
  writer.text(who.peer, peer);
  writer.text(who.traceId, traceId);
}

function writeIssue({ record, credentialFor }: TokenIssued): void {
  writer.text(issued.tokenId, idOf(record));
  writer.text(issued.appId, record.appId ?? '');
  writer.text(issued.userHandle, record.userHandle ?? '');
  writer.text(issued.audience, record.audience);
  writer.texts(issued.scopes, record.scopes);
  writer.text(issued.method, record.method);
  writer.text(issued.usage, record.usage ?? '');
  writer.text(issued.consentId, record.consentId ?? '');
  writer.instant(issued.expiresAt, record.expiresAt);
  writer.text(issued.credentialFor, credentialFor);
  writer.text(issued.parentTokenId, record.lineage[0]?.tokenId ?? '');
}
