import {
  type Act,
  Chain,
  consistentRecords,
  Follower,
  Presence,
  systemClock,
  TokenCache,
  tokenMethods,
  Uses,
  type ValidatePorts,
  validateToken,
} from '@touchstone/core';
import { revisionCodec } from '@touchstone/events';
import { historyReader, openDatabase, proofTaker, recordReader, releaseReader } from '@touchstone/store-postgres';
import { proofVerifier, referenceMethod } from '@touchstone/token-methods';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { quiet } from '../harness/database.ts';
import { installationKeys } from '../harness/installation-keys.ts';
import { openWorld, type World } from '../harness/world.ts';
import { unknownString } from './support-strings.ts';

const stack = inject('stack');
const consistency = { kind: 'fully_consistent' } as const;
let world: World;
let validator: Awaited<ReturnType<typeof openObservedValidator>>;
beforeAll(async () => {
  [world, validator] = await Promise.all([openWorld(stack), openObservedValidator()]);
  // What may be released to the caller is read once.
  await validator.refuse(await unknownString(stack));
});
afterAll(() => validator[Symbol.asyncDispose]());

/** A validator in this process, of which is told what it does for one token. */
async function openObservedValidator() {
  const database = openDatabase({ url: stack.adminUrl, applicationName: 'test', connectionsMax: 2 });
  const keys = await installationKeys(stack);
  const history = historyReader(database);
  const follower = await Follower.start(history, new Chain(keys.mac, revisionCodec), systemClock, quiet);
  const presence = new Presence(
    { beat: ({ revision }) => history.readAfter(revision), leave: async () => {} },
    follower,
    systemClock,
    Number.POSITIVE_INFINITY,
  );
  await presence.beat();

  const done: string[] = [];
  const method = referenceMethod(keys);
  const observedMethod: typeof method = {
    ...method,
    open(located, record) {
      done.push('opened');
      return method.open(located, record);
    },
  };
  const observedDatabase: typeof database = {
    ...database,
    query(statement) {
      // The day that a token expires on differs around midnight.
      done.push(statement.text.replace(/token_\d+/g, 'token_<day>'));
      return database.query(statement);
    },
  };
  const ports: ValidatePorts = {
    methods: tokenMethods([observedMethod]),
    records: consistentRecords(recordReader(observedDatabase), follower, { batchMax: 1, lanes: 1, waitingMax: 1 }),
    follower,
    presence,
    cache: new TokenCache(follower, 1),
    releases: releaseReader(observedDatabase, keys.mac, follower),
    handles: { of: () => Promise.reject(new Error('the resource server has no sector')) },
    proofs: { ...proofVerifier, ...proofTaker(observedDatabase) },
    uses: new Uses(),
  };
  return {
    /** What it takes to refuse the token. */
    async refuse(token: string): Promise<string[]> {
      // What others have revoked meanwhile is not to be read on the way.
      await follower.refresh();
      done.length = 0;
      const command = {
        token,
        audience: world.audience,
        requiredScopes: ['orders:read'],
        request: null,
        proof: null,
        consistency,
      } as const;
      expect(await validateToken(actOf(world), command, ports)).toMatchObject({
        active: false,
        reason: 'not_honoured',
      });
      return [...done];
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

const actOf = ({ audience, tenantId }: World): Act => ({
  caller: {
    kind: 'resource_server',
    name: audience,
    tenantIds: [tenantId],
    scopes: ['tokens:validate'],
    credentialId: 'tok_test',
    credentialExpiresAt: Number.POSITIVE_INFINITY,
  },
  peer: '',
  traceId: '',
});

test('an unknown token costs what a revoked one does: the same statement, and nothing is opened', async () => {
  const { token } = await world.issue();
  await world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token } });
  const revoked = await validator.refuse(token);
  expect(revoked).toEqual([expect.stringContaining('token_<day>')]);
  expect(await validator.refuse(await unknownString(stack))).toEqual(revoked);
});

test('a token of others takes no statement more', async () => {
  const foreign = await openWorld(stack);
  const tokens = { "another tenant's": (await foreign.issue()).token, credential: world.app.credential };
  for (const [what, token] of Object.entries(tokens)) {
    const statements = (await validator.refuse(token)).filter((one) => one !== 'opened');
    expect([what, statements]).toEqual([what, [expect.stringContaining('token_<day>')]]);
  }
});

test('a string that names a day without a partition takes at most three, whoever it was made for', async () => {
  for (const expiresAt of [0, Date.now() + 10 * 366 * 86_400_000]) {
    const statements = await validator.refuse(await unknownString(stack, { expiresAt }));
    expect(statements.length).toBeLessThanOrEqual(3);
    expect(statements).not.toContain('opened');
  }
});
