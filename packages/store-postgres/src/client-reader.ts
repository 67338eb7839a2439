import type { ClientEntry, ClientReader, Mac, Registered, RegisteredKind } from '@touchstone/core';
import type { Database, Row } from './database.ts';
import { tailColumnsCount, tailOf, tailSelect } from './history-rows.ts';
import { storedOf } from './registry.ts';

/** In the order of the statement's parameters, after the revision. */
const kinds = ['tenant', 'app', 'resource_server'] as const satisfies readonly RegisteredKind[];

/** What marks the rows of entries, apart from those of the tail. */
const entryPart = 2;
const noTail = `${entryPart}, ${Array.from({ length: tailColumnsCount - 1 }, () => 'null').join(', ')}`;

/** Typed, for in a union it is the first select that gives the columns their types. */
const readStatement = `
  select tail.*, null::text, null::text, null::text, null::text, null::text, null::boolean, null::boolean from (${tailSelect}) tail
  union all
  select ${noTail}, e.* from client_entries($2, $3, $4) e`;

/** Reads the entries of clients, in one snapshot with the history. */
export function clientReader(database: Database, mac: Mac): ClientReader {
  function entryOf(row: Row): readonly [string, ClientEntry] | null {
    const [what, ...columns] = row.slice(tailColumnsCount) as [RegisteredKind, ...unknown[]];
    const stored = storedOf(what, columns, mac);
    if (!stored) return null;
    const disabled = stored.disabled || columns.at(-1) === true;
    return [keyOf(what, columns[0] as string), { registered: { what, entry: stored.entry } as Registered, disabled }];
  }
  return {
    async read(clients, revision) {
      const ids = kinds.map((kind) => [...new Set(clients.filter(({ what }) => what === kind).map(({ id }) => id))]);
      const rows = await database.query({ name: 'clients', text: readStatement, values: [revision, ...ids] });
      const entries = rows.filter(([part]) => part === entryPart).map(entryOf);
      const found = new Map(entries.filter((entry) => entry !== null));
      return { entries: clients.map(({ what, id }) => found.get(keyOf(what, id)) ?? null), tail: tailOf(rows) };
    },
  };
}

const keyOf = (what: RegisteredKind, id: string): string => `${what} ${id}`;
