import type { Attacker } from './attacker.ts';

/** Makes the database's clock late for whoever connects from now on. */
export async function moveClock(attacker: Attacker, by: string): Promise<{ putRight(): Promise<void> }> {
  const reconnect = `select pg_terminate_backend(pid) from pg_stat_activity where usename like 'touchstone%'`;
  await attacker.write('alter function pg_catalog.clock_timestamp() rename to true_clock');
  await attacker.write(
    `create function pg_catalog.clock_timestamp() returns timestamptz language sql volatile
       as $$ select pg_catalog.true_clock() - interval '${by}' $$`,
  );
  await attacker.write(reconnect);
  return {
    async putRight() {
      await attacker.write('drop function pg_catalog.clock_timestamp()');
      await attacker.write('alter function pg_catalog.true_clock() rename to clock_timestamp');
      await attacker.write(reconnect);
    },
  };
}
