import { Code } from '@connectrpc/connect';
import { status as Status } from '@grpc/grpc-js';
import { IssuerService } from '@touchstone/contracts';
import { freePair, type ServiceName } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numberOf, openAdmin } from './admin.ts';
import { type Calls, callsOf } from './calls.ts';
import { rawStatus } from './grpc.ts';
import { outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { page } from './services.ts';
import { spawnService } from './spawned.ts';
import { untilTrue } from './until.ts';

let own: OwnStack;
let calls: Calls;
beforeAll(async () => {
  own = await openOwnStack();
  calls = callsOf(own.stack, own.world);
});
afterAll(() => own?.[Symbol.asyncDispose]());

describe.each<ServiceName>(['issuer', 'validator', 'revocation'])('a second %s', (name) => {
  test.each(['GRPC', 'HTTP'] as const)('on the same %s port names port and setting, and ends', async (kind) => {
    const first = own.stack.services[name];
    const taken = Number((kind === 'GRPC' ? first.grpc : first.http).split(':').at(-1));
    const [grpcPort, httpPort] = await freePair();
    const ports = kind === 'GRPC' ? ([taken, httpPort] as const) : ([grpcPort, taken] as const);
    await using second = await spawnService(own.stack, name, { ports });
    expect(await second.exited).toBe(1);
    expect(second.output()).toMatch(
      new RegExp(`^${name} ends: .*port ${taken}\\b.*\\b${name.toUpperCase()}_${kind}_PORT\\b`, 'm'),
    );
    expect(await page(first, '/readyz')).toMatchObject({ status: 200 });
    expect((await calls.validate((await calls.issue()).token)).active).toBe(true);
  });
});

describe('a call whose deadline was over before it came', () => {
  test('is told so, and leaves no token behind', async () => {
    const appId = await own.world.addApp();
    const { credential } = own.world.identity;
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        rawStatus(own.stack.services.issuer.grpc, IssuerService.method.issueToken, own.world.request({ appId }), {
          credential,
          timeout: '1n',
        }),
      ),
    );
    expect(new Set(answers)).toEqual(new Set([Status.DEADLINE_EXCEEDED]));
    // One that lives, so that those before it would be seen.
    await calls.issue({ appId });
    await using admin = await openAdmin(own);
    expect(await numberOf(admin, 'select count(*) from token where app_id = $1', [appId])).toBe(1);
  });

  test('is told so over HTTP too, by the code of a deadline', async () => {
    const response = await fetch(`${own.stack.services.issuer.http}/touchstone.v1.IssuerService/IssueToken`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'connect-protocol-version': '1',
        'connect-timeout-ms': '0',
        authorization: `Bearer ${own.world.identity.credential}`,
      },
      body: JSON.stringify({ tenantId: own.world.tenantId }),
    });
    expect(await response.json()).toMatchObject({ code: 'deadline_exceeded' });
  });
});

describe('while the database makes issuing wait', () => {
  /** Issuing waits until the block ends. */
  async function openJam() {
    const admin = await openAdmin(own);
    await admin.query('begin');
    await admin.query('lock table outbox in exclusive mode');
    return admin;
  }
  const jammed = `select count(*) from pg_stat_activity where wait_event_type = 'Lock'`;
  /** How many calls to issue have ended because their caller took them back. */
  async function takenBack(): Promise<number> {
    const { text } = await page(own.stack.services.issuer, '/metrics');
    const ended = /^touchstone_call_seconds_count\{.*\/IssueToken".*"CANCELLED".*\} (\d+)$/m.exec(text);
    return Number(ended?.[1] ?? 0);
  }

  test('a deadline ends a call in time', async () => {
    await using _ = await openJam();
    const answer = await outcomeOf(callsOf(own.stack, own.world, { timeoutMs: 300 }).issue());
    expect(answer).toMatchObject({ ok: false, code: Code[Code.DeadlineExceeded] });
    expect(answer.milliseconds).toBeLessThan(3_000);
  });

  test('a deadline over HTTP ends a call in time, by the code of a deadline', async () => {
    await using _ = await openJam();
    const started = performance.now();
    const { tenantId, appId, audience, identity } = own.world;
    const response = await fetch(`${own.stack.services.issuer.http}/touchstone.v1.IssuerService/IssueToken`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'connect-protocol-version': '1',
        'connect-timeout-ms': '300',
        authorization: `Bearer ${identity.credential}`,
      },
      body: JSON.stringify({ tenantId, appId, audience, scopes: ['orders:read'], usage: 'USAGE_BATCH' }),
    });
    expect(await response.json()).toMatchObject({ code: 'deadline_exceeded' });
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  test('a call that its caller takes back ends at once, and while it only waited leaves no token behind', async () => {
    const appId = await own.world.addApp();
    await using admin = await openAdmin(own);
    const { issuer } = own.world.identity;
    {
      await using _ = await openJam();
      const first = outcomeOf(calls.issue({ appId }));
      await untilTrue('the first is being written', async () => (await numberOf(admin, jammed)) > 0);
      const leaving = new AbortController();
      const { signal } = leaving;
      const drawn = 'select last_value from token_sequence';
      const before = { drawn: await numberOf(admin, drawn), ended: await takenBack() };
      const others = Array.from({ length: 20 }, () =>
        outcomeOf(issuer.issueToken(own.world.request({ appId }), { signal })),
      );
      const haveDrawn = async () => (await numberOf(admin, drawn)) >= before.drawn + others.length;
      await untilTrue('the others have drawn and wait', haveDrawn);
      leaving.abort();
      for (const other of await Promise.all(others)) {
        expect(other).toMatchObject({ ok: false, code: Code[Code.Canceled] });
        expect(other.milliseconds).toBeLessThan(4_000);
      }
      const haveEnded = async () => (await takenBack()) === before.ended + others.length;
      await untilTrue('the service has heard of it', haveEnded);
      await _.query('commit');
      expect(await first).toMatchObject({ ok: true });
    }
    await calls.issue({ appId });
    expect(await numberOf(admin, 'select count(*) from token where app_id = $1', [appId])).toBe(2);
  });
});
