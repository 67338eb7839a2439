import {
  ActorSchema,
  AuditEventSchema,
  ConsentGrantSchema,
  ConsentRecordedSchema,
  IssueRefusedSchema,
  RegistryChangedSchema,
  TokenIssuedSchema,
  TokensRevokedSchema,
} from '@touchstone/contracts/events';
import { type Field, FieldWriter } from '@touchstone/contracts/field-writer';
import { type Actor, type AuditAct, type AuditCodec, idOf } from '@touchstone/core';

const { field } = AuditEventSchema;
const who = ActorSchema.field;
const issued = TokenIssuedSchema.field;
const refused = IssueRefusedSchema.field;
const revoked = TokensRevokedSchema.field;
const changed = RegistryChangedSchema.field;
const consented = ConsentRecordedSchema.field;
const grant = ConsentGrantSchema.field;

const writer = new FieldWriter();

/** Audit events as touchstone.events.v1.AuditEvent. */
export const auditCodec: AuditCodec = {
  encode: ({ tenantId, actor, act }, eventId, occurredAt) =>
    writer.written(() => {
      writer.text(field.eventId, eventId);
      writer.instant(field.occurredAt, occurredAt);
      writer.text(field.tenantId, tenantId ?? '');
      writer.message(field.actor, () => writeActor(actor));
      writer.message(...partOf(act));
    }),
};

function writeActor({ kind, name, credentialId, peer, traceId }: Actor): void {
  writer.text(who.kind, kind);
  writer.text(who.name, name);
  writer.text(who.credentialId, credentialId);
  writer.text(who.peer, peer);
  writer.text(who.traceId, traceId);
}

function partOf(act: AuditAct): [Field, () => void] {
  switch (act.type) {
    case 'token_issued':
      return [field.tokenIssued, () => writeIssued(act)];
    case 'issue_refused':
      return [field.issueRefused, () => writeRefused(act)];
    case 'tokens_revoked':
      return [field.tokensRevoked, () => writeRevoked(act)];
    case 'registry_changed':
      return [field.registryChanged, () => writeChanged(act)];
    case 'consent_recorded':
      return [field.consentRecorded, () => writeConsented(act)];
  }
}

type Act<Type extends AuditAct['type']> = Extract<AuditAct, { type: Type }>;

/** A record holds more than may leave the database. */
function writeIssued({ record, credentialFor }: Act<'token_issued'>): void {
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

function writeRefused({ appId, audience, reason, credentialFor = '' }: Act<'issue_refused'>): void {
  writer.text(refused.appId, appId);
  writer.text(refused.audience, audience);
  writer.text(refused.reason, reason);
  writer.text(refused.credentialFor, credentialFor);
}

function writeRevoked(act: Act<'tokens_revoked'>): void {
  writer.text(revoked.revocationId, act.revocationId);
  writer.text(revoked.targetKind, act.targetKind);
  writer.text(revoked.targetKey, act.targetKey);
  writer.number(revoked.revision, act.revision);
  writer.text(revoked.reason, act.reason);
  writer.flag(revoked.includeCredentials, act.includeCredentials);
}

function writeChanged({ what, id, change, reason }: Act<'registry_changed'>): void {
  writer.text(changed.what, what);
  writer.text(changed.id, id);
  writer.text(changed.change, change);
  writer.text(changed.reason, reason);
}

function writeConsented({ consentId, appId, userHandle, grants, ttl }: Act<'consent_recorded'>): void {
  writer.text(consented.consentId, consentId);
  writer.text(consented.appId, appId);
  writer.text(consented.userHandle, userHandle);
  for (const { audience, scopes } of grants) {
    writer.message(consented.grants, () => {
      writer.text(grant.audience, audience);
      writer.texts(grant.scopes, scopes);
    });
  }
  writer.duration(consented.ttl, ttl);
}
