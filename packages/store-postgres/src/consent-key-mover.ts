import type { WrappedKey } from '@touchstone/core';
import type { Database } from './database.ts';

/** Looked at by one statement, whether they are to be moved or not: each ends soon, however many there are. */
const lookedAtMax = 2_000;

interface OldConsentKey extends WrappedKey {
  readonly consentId: string;
  readonly hasEnded: boolean;
}

/** Keys of consents whose data key is to be destroyed. For the role touchstone_keys. */
export function consentKeyMover(database: Database) {
  return {
    async oldDataKeys(milliseconds: number): Promise<string[]> {
      const text = `
        select data_key_id from data_key k
         where purpose = 'consent' and created_at <= now() - $1 * interval '1 millisecond'
           and generation < (select max(generation) from data_key where purpose = k.purpose)`;
      return (await database.query({ text, values: [milliseconds] })).map(([id]) => id as string);
    },

    async keysAfter(after: string, dataKeyIds: readonly string[], wallNow: number) {
      const text = `
        with page as (
          select consent_id, data_key_id, wrapped from consent_key where consent_id > $1
           order by consent_id limit ${lookedAtMax}
        ),
        old as (
          select p.*, c.expires_at <= least(now(), $3) - interval '1 day' as has_ended
            from page p join consent c using (consent_id) where p.data_key_id = any($2)
        )
        select (select max(consent_id) from page), (select count(*) from page), o.*
          from (values (1)) as one left join old o on true`;
      const rows = await database.query({ text, values: [after, dataKeyIds, new Date(wallNow)] });
      const [last, looked] = rows[0] as [string | null, number];
      const keys = rows.flatMap(([, , id, dataKeyId, wrapped, hasEnded]): OldConsentKey[] =>
        id === null ? [] : [{ consentId: id, dataKeyId, wrapped, hasEnded } as OldConsentKey],
      );
      return { keys, looked, last };
    },

    async replace(keys: readonly (WrappedKey & { readonly consentId: string })[]): Promise<number> {
      const text = `
        with free as (${freeSelect('$1')}),
        moved as (select * from unnest($1::text[], $2::text[], $3::bytea[]) as m (consent_id, data_key_id, wrapped))
        update consent_key k set data_key_id = m.data_key_id, wrapped = m.wrapped
          from moved m join free using (consent_id) where k.consent_id = m.consent_id
        returning k.consent_id`;
      const values = [
        keys.map(({ consentId }) => consentId),
        keys.map(({ dataKeyId }) => dataKeyId),
        keys.map(({ wrapped }) => wrapped),
      ];
      return (await database.write({ text, values })).length;
    },

    async remove(consentIds: readonly string[]): Promise<number> {
      const text = `
        with free as (${freeSelect('$1')})
        delete from consent_key k using free where k.consent_id = free.consent_id returning k.consent_id`;
      return (await database.write({ text, values: [consentIds] })).length;
    },
  };
}

/** Those that nobody is withdrawing: it waits for nobody while it holds some, so nobody who wants several is in its way. */
const freeSelect = (ids: string): string =>
  `select consent_id from consent_key where consent_id = any(${ids}) for update skip locked`;
