import type { Cut, Mark } from '@touchstone/core';
import type { Query, Row } from './database.ts';
import { instantText, millisecondsOf } from './instants.ts';

export const markColumns = `
  w.token_class, w.kind, w.key, w.ceiling, w.spared_token_id, w.spared_ceiling,
  ${millisecondsOf('w.covers_until')}`;

export function markOf(row: Row): Mark {
  const [tokenClass, kind, key, ceiling, sparedTokenId, sparedCeiling, coversUntil] = row;
  return { tokenClass, kind, key, ceiling, sparedTokenId, sparedCeiling, coversUntil } as Mark;
}

/**
 * The marks of the targets that `targetsOf` gives, in one value: a row for each costs more. An index is looked into once a
 * target, and `limit` holds the planner to it: the plan that it makes for a join while the table is empty goes through the
 * whole of it, and is kept when the table has grown.
 */
export const marksSelect = `
  select json_agg(m.mark) from unnest($1::text[], $2::text[], $3::text[]) as c (token_class, kind, key)
    cross join lateral (select json_build_array(${markColumns}) as mark from watermark w
      where w.token_class = c.token_class and w.kind = c.kind and w.key = c.key limit 1) as m`;

/** What a mark is of. */
export type Target = Pick<Cut, 'tokenClass' | 'kind' | 'key'>;

export const targetsOf = (cuts: readonly Target[]): string[][] => [
  cuts.map((c) => c.tokenClass),
  cuts.map((c) => c.kind),
  cuts.map((c) => c.key),
];

/** Of what `marksSelect` gives. */
export const marksOf = (rows: unknown): Mark[] => ((rows as Row[] | null) ?? []).map(markOf);

/** The marks of what these cut. */
export async function readMarks(query: Query, cuts: readonly Target[]): Promise<Mark[]> {
  const [row] = await query({ name: 'marks', text: marksSelect, values: targetsOf(cuts) });
  return marksOf(row?.[0]);
}

const replacing = `
  on conflict (token_class, kind, key) do update
    set ceiling = excluded.ceiling, spared_token_id = excluded.spared_token_id,
        spared_ceiling = excluded.spared_ceiling, covers_until = excluded.covers_until`;

/**
 * Puts marks in place of those that there were.
 *
 * @param marks the parameter that holds them, as `markFields` gives them.
 * @param areNew that there were none: nobody else writes any while the history is locked, and to look for them costs as much
 *   as the rest.
 */
export const raising = (marks: string, areNew = false): string => `
  insert into watermark (token_class, kind, key, ceiling, spared_token_id, spared_ceiling, covers_until)
  select * from json_to_recordset(${marks}) as m (token_class text, kind text, key text, ceiling bigint,
    spared_token_id text, spared_ceiling bigint, covers_until timestamptz)
  ${areNew ? '' : replacing}
  returning key`;

export const raiseMarks = (query: Query, marks: readonly Mark[]): Promise<Row[]> =>
  query({ name: 'raise', text: raising('$1'), values: [JSON.stringify(marks.map(markFields))] });

export const markFields = (mark: Mark): Record<string, unknown> => ({
  token_class: mark.tokenClass,
  kind: mark.kind,
  key: mark.key,
  ceiling: mark.ceiling,
  spared_token_id: mark.sparedTokenId,
  spared_ceiling: mark.sparedCeiling,
  covers_until: mark.coversUntil === null ? null : instantText(mark.coversUntil),
});
