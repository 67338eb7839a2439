import type pg from 'pg';

/** How much there is in the database of what a revocation leaves behind there. */
export interface LeftBehind {
  readonly head: number;
  readonly revisions: number;
  readonly revocations: number;
  readonly disabled: number;
  readonly consentKeys: number;
  /** On the audit trail, of this reason. */
  readonly events: number;
  /** A digest of all watermarks. */
  readonly marks: string;
}

const disabled = ['tenant', 'app', 'resource_server', 'consent', 'signing_key']
  .map((table) => `(select count(disabled_revision) from ${table})`)
  .join(' + ');
const text = `
  select (select revision from history)::int as head, (select count(*) from revision)::int as revisions,
         (select count(*) from revocation)::int as revocations, (${disabled})::int as disabled,
         (select count(*) from consent_key)::int as "consentKeys",
         (select count(*) from outbox where position(convert_to($1, 'UTF8') in payload) > 0)::int as events,
         (select md5(string_agg(w::text, '' order by token_class, kind, key)) from watermark w) as marks`;

/** @param reason of the revocation, which no other one has. */
export async function leftBehind(admin: pg.Client, reason: string): Promise<LeftBehind> {
  const { rows } = await admin.query<LeftBehind>({ text, values: [reason] });
  return rows[0] as LeftBehind;
}

/** What has changed, and by how much. */
export type Changed = Readonly<Record<Exclude<keyof LeftBehind, 'marks'>, number>> & { readonly marks: boolean };

export const changedSince = (before: LeftBehind, after: LeftBehind): Changed => ({
  head: after.head - before.head,
  revisions: after.revisions - before.revisions,
  revocations: after.revocations - before.revocations,
  disabled: after.disabled - before.disabled,
  consentKeys: after.consentKeys - before.consentKeys,
  events: after.events - before.events,
  marks: after.marks !== before.marks,
});

/** Of a revocation that did not happen. */
export const nothing: Changed = {
  head: 0,
  revisions: 0,
  revocations: 0,
  disabled: 0,
  consentKeys: 0,
  events: 0,
  marks: false,
};
