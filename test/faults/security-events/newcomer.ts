import { Chain, decide, Follower, systemClock, type TenantHandles, tokenIdOf, tokenMethods } from '@touchstone/core';
import { revisionCodec } from '@touchstone/events';
import type { Stack } from '@touchstone/local-stack';
import { historyReader, openDatabase, recordReader } from '@touchstone/store-postgres';
import { referenceMethod } from '@touchstone/token-methods';
import { quiet } from '../../harness/database.ts';
import { keysOf, openHandles } from '../../harness/installation-keys.ts';
import type { Held } from './held.ts';

/** One who has the keys and reads the database, and remembers nothing. */
export interface Newcomer extends AsyncDisposable {
  tokenIdOf(text: string): string;
  handlesOf(tenantId: string): Promise<TenantHandles>;
  /** Whether it is honoured by what the database says now, whoever may ask. */
  honours(held: Held): Promise<boolean>;
}

export async function openNewcomer(stack: Stack): Promise<Newcomer> {
  const keys = await keysOf(stack);
  const database = openDatabase({ url: stack.postgres.adminUrl, applicationName: 'test', connectionsMax: 1 });
  const chain = new Chain(keys.mac, revisionCodec);
  const methods = tokenMethods([referenceMethod(keys)]);
  const locate = (text: string) => {
    const found = methods.locate(text);
    if (!found) throw new Error('this is no token of the installation');
    return found;
  };
  return {
    tokenIdOf: (text) => tokenIdOf(locate(text).located.key),
    async handlesOf(tenantId) {
      const { postgres, masterKeyFile } = stack;
      await using handles = await openHandles({ adminUrl: postgres.adminUrl, masterKeyFile });
      return await handles.of(tenantId);
    },
    async honours({ text, audience }) {
      const { method, located } = locate(text);
      const { watermarks, databaseNow } = await Follower.start(historyReader(database), chain, systemClock, quiet);
      const ofWhom = { text: 'select tenant_id from token where id = $1', values: [located.key.key] };
      const tenantIds = (await database.query(ofWhom)).map(([tenantId]) => tenantId as string);
      const [record = null] = (await recordReader(database).read([{ key: located.key, tenantIds }], 0)).records;
      const tokenClass = audience === 'touchstone' ? 'credential' : 'token';
      const demand = { tokenClass, audience, scopes: record?.scopes ?? [], request: null, proof: null } as const;
      const opened = record && (await method.open(located, record));
      return decide(record, opened, watermarks, demand, databaseNow, null).active;
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}
