import { expect, test } from 'vitest';
import { Fenced } from '../errors.ts';
import { Follower } from '../revisions/follower.ts';
import { censusIn, chain, History, quiet, TestClock } from '../test-history.ts';
import { publicKeyOf } from '../test-registry.ts';
import { Presence } from '../validate/presence.ts';
import { listPublishedKeys } from './signing-keys.ts';

/** An issuer whose reads of keys say what was so once: that none has been revoked. */
async function open() {
  const [history, clock] = [new History(), new TestClock()];
  const follower = await Follower.start(history, chain, clock, quiet);
  const presence = new Presence(censusIn(history), follower, clock, 5_000);
  await presence.beat();
  const store = { reading: async () => {} };
  const signingKeys = {
    async listPublished() {
      await store.reading();
      return [publicKeyOf('one'), publicKeyOf('other')];
    },
  };
  const list = async () => {
    const keys = await listPublishedKeys({ signingKeys: signingKeys as never, follower, presence });
    return keys.map(({ keyId }) => keyId);
  };
  return { list, history, clock, store };
}

test('a key that the server in force says is revoked is not published, whatever another one lists', async () => {
  const { list, history } = await open();
  expect(await list()).toEqual(['one', 'other']);
  history.write('one', 0, { kind: 'signing_key', ceiling: null });
  expect(await list()).toEqual(['other']);
});

test('beyond the fence none is published, also where it runs out while the database is asked', async () => {
  const { list, clock, store } = await open();
  clock.pass(3_000);
  store.reading = async () => clock.pass(2_001);
  await expect(list()).rejects.toThrow(Fenced);
  store.reading = async () => expect.fail('the database was asked');
  await expect(list()).rejects.toThrow(Fenced);
});
