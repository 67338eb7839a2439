import { create, type DescMethod, type DescMethodUnary, fromBinary, type Message } from '@bufbuild/protobuf';
import {
  ConsentService,
  IssuerService,
  RegistryService,
  RevocationService,
  ValidatorService,
} from '@touchstone/contracts';
import {
  type Authenticate,
  type Caller,
  CallerUnknown,
  Cancelled,
  Overloaded,
  StoreUnavailable,
  type TouchstoneError,
} from '@touchstone/core';
import { expect, test, vi } from 'vitest';
import type { CallRecord } from '../telemetry/call-events.ts';
import { caller } from '../test-service.ts';
import type { CallContext, Refused } from './handler.ts';
import { type Admitted, endpoint, type IncomingCall } from './pipeline.ts';

const method = ValidatorService.method.validateToken as DescMethodUnary;
const request = create(method.input, { token: 'tks_x', audience: 'orders', requiredScopes: ['read'] } as never);

/** An endpoint with a handler that is counted, and what was told of its calls. */
function serve(
  work: (call: CallContext) => object = async () => ({}),
  {
    ready = true,
    as = caller,
    of = method,
    refused = async () => {},
    authenticate = async () => as,
  }: {
    ready?: boolean;
    as?: Caller;
    of?: DescMethodUnary;
    refused?: Refused;
    authenticate?: Authenticate;
  } = {},
) {
  const told: (CallRecord & { error?: TouchstoneError })[] = [];
  let handled = 0;
  const events = {
    answered: (call: CallRecord) => void told.push(call),
    failed: (call: CallRecord, error: TouchstoneError) => void told.push({ ...call, error }),
    itemFaulted: (call: CallRecord, error: TouchstoneError) => void told.push({ ...call, error }),
  };
  const handler = (_request: Message, call: CallContext) => {
    handled++;
    return work(call);
  };
  const serving = endpoint(of, () => (ready ? { handle: handler as never, refused } : null), {
    authenticate: () => authenticate,
    events,
  });
  const admit = (over: Partial<IncomingCall> = {}) =>
    serving.admit({
      peer: 'peer',
      deadline: Number.POSITIVE_INFINITY,
      header: (name) => (name === 'authorization' ? 'Bearer x' : undefined),
      certificate: () => null,
      onCancel() {},
      keepAnswer: () => true,
      ...over,
    });
  const call = async (over: Partial<IncomingCall> = {}, message: Message = request) =>
    serving.answer(await admit(over), message);
  return { admit, call, serving, told, handled: () => handled };
}

test('an answer beyond what is kept for its caller is refused, and told of as that', async () => {
  const { call, told } = serve();
  await expect(call({ keepAnswer: () => false })).rejects.toBeInstanceOf(Overloaded);
  expect(told.map(({ error }) => error?.code)).toEqual(['overloaded']);
});

test('a call whose deadline has passed does no work', async () => {
  const { call, handled } = serve();
  await expect(call({ deadline: Date.now() - 1 })).rejects.toMatchObject({ code: 'deadline_exceeded' });
  expect(handled()).toBe(0);
});

test.each([
  ['at its deadline', 20, 'deadline_exceeded'],
  ['when it goes away', Number.POSITIVE_INFINITY, 'cancelled'],
])('a caller is answered %s, which the transport tells, whatever the work does', async (_, milliseconds, code) => {
  const { call } = serve(() => new Promise(() => {}));
  let end = () => {};
  const onCancel = (listener: () => void) => {
    end = listener;
  };
  const waiting = call({ onCancel, deadline: Date.now() + milliseconds });
  setTimeout(() => end(), 20);
  await expect(waiting).rejects.toMatchObject({ code });
});

test('without a credential, without its scope, or with a field that breaks a rule, the handler is not reached', async () => {
  const { call, handled, told } = serve();
  await expect(call({ header: () => undefined })).rejects.toMatchObject({ code: 'caller_unknown' });
  const other = serve(undefined, { as: { ...caller, scopes: ['tokens:issue'] } });
  await expect(other.call()).rejects.toMatchObject({ code: 'caller_not_allowed' });
  const empty = create(method.input, { token: 'tks_secret', audience: 'orders' } as never);
  await expect(call({}, empty)).rejects.toMatchObject({
    code: 'invalid_field',
    metadata: { field: 'required_scopes' },
  });
  expect(handled() + other.handled()).toBe(0);
  expect(JSON.stringify(told)).not.toContain('tks_secret');
});

test.each<[string, (caller: Caller) => Authenticate, (error: Error) => Authenticate]>([
  [
    'at once',
    (who) => () => who,
    (error) => () => {
      throw error;
    },
  ],
  ['later', (who) => async () => who, (error) => () => Promise.reject(error)],
])('who calls may be known %s: it is admitted, refused and told of alike', async (_, known, unknown) => {
  const { call, told } = serve(undefined, { authenticate: known(caller) });
  await call();
  await expect(call({}, create(method.input))).rejects.toMatchObject({ code: 'invalid_field' });
  const scopeless = serve(undefined, { authenticate: known({ ...caller, scopes: [] }) });
  await expect(scopeless.call()).rejects.toMatchObject({ code: 'caller_not_allowed' });
  const stranger = serve(undefined, { authenticate: unknown(new CallerUnknown()) });
  await expect(stranger.call()).rejects.toMatchObject({ code: 'caller_unknown' });
  expect([...told, ...scopeless.told, ...stranger.told].map(({ error }) => error?.code)).toEqual([
    undefined,
    'invalid_field',
    'caller_not_allowed',
    'caller_unknown',
  ]);
  expect(scopeless.handled() + stranger.handled()).toBe(0);
});

test('what a handler answers at once is answered at once, and told of as what it answers later', async () => {
  const refuse = () => {
    throw new StoreUnavailable();
  };
  const [bytes, atOnce, later] = [new Uint8Array(1), [] as unknown[], [] as unknown[]];
  for (const [work, outcomes] of [
    [() => bytes, atOnce],
    [refuse, atOnce],
    [async () => bytes, later],
    [async () => refuse(), later],
  ] as const) {
    const { admit, serving, told } = serve(work, { authenticate: () => caller });
    const admitted = (await admit()) as Admitted;
    const answered = outcomeOf(() => serving.answer(admitted, request));
    expect(answered instanceof Promise).toBe(outcomes === later);
    outcomes.push([await answered, told.map(({ caller, error }) => [caller?.name, error?.code])]);
  }
  expect(atOnce).toEqual([
    [bytes, [[caller.name, undefined]]],
    ['store_unavailable', [[caller.name, 'store_unavailable']]],
  ]);
  expect(later).toEqual(atOnce);
});

/** What comes of it, at once or later: an answer, or the code of an error. */
function outcomeOf(attempt: () => unknown): unknown {
  const codeOf = ({ code }: TouchstoneError) => code;
  try {
    const answer = attempt();
    return answer instanceof Promise ? answer.catch(codeOf) : answer;
  } catch (error) {
    return codeOf(error as TouchstoneError);
  }
}

test('a call is by whom its bearer token is for; without one, by whom it names, if there is a certificate', async () => {
  const asked: unknown[] = [];
  const authenticate: Authenticate = (shown) => {
    asked.push(shown);
    return caller;
  };
  const { call } = serve(undefined, { authenticate });
  const shown = { sha256: 'x', spiffeId: null, expiresAt: 1 };
  const named = (headers: Readonly<Record<string, string>>) => (name: string) => headers[name];
  const client = { 'touchstone-client': 'app:orders-app' };
  await call({ header: named(client), certificate: () => shown });
  await call({ header: named({ ...client, authorization: 'Bearer y' }), certificate: () => shown });
  expect(asked).toEqual([{ client: 'app:orders-app', certificate: shown }, 'y']);
  for (const over of [
    { header: named(client) },
    { header: named({}), certificate: () => shown },
    { header: named({ ...client, authorization: 'Basic y' }), certificate: () => shown },
  ]) {
    await expect(call(over)).rejects.toMatchObject({ code: 'caller_unknown' });
  }
  expect(asked).toHaveLength(2);
});

test('a message that comes slowly is asked again whose it is, and by whom its call was admitted', async () => {
  const asked: unknown[] = [];
  const authenticate: Authenticate = (_shown, admitted) => {
    asked.push(admitted);
    return caller;
  };
  const { call } = serve(undefined, { authenticate });
  using _clock = vi.spyOn(performance, 'now').mockReturnValueOnce(0).mockReturnValueOnce(1_001);
  await call();
  expect(asked).toEqual([undefined, caller]);
});

test('a message that comes slowly is acted on with the rights of now', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const callers = [caller, { ...caller, scopes: ['tokens:validate', 'tokens:other'] }];
    const acts: Caller[] = [];
    const { admit, serving, told } = serve(async ({ act }) => ({ revision: String(acts.push(act.caller)) }), {
      authenticate: () => callers.pop() as Caller,
    });
    const admitted = (await admit()) as Admitted;
    vi.advanceTimersByTime(1_001);
    await serving.answer(admitted, request);
    expect([acts, told.map((call) => call.caller)]).toEqual([[caller], [caller]]);
  } finally {
    vi.useRealTimers();
  }
});

test('whose a call is that does what lasts is asked again, by what is true now', async () => {
  const asked: unknown[] = [];
  const authenticate: Authenticate = (_shown, admitted, isLasting) => {
    asked.push([admitted, isLasting]);
    if (isLasting) throw new CallerUnknown();
    return operator;
  };
  const operator: Caller = { ...caller, kind: 'operator', scopes: ['registry:read', 'credentials:issue'] };
  const { issueCredential, getApp } = RegistryService.method;
  const making = serve(undefined, { of: issueCredential as DescMethodUnary, authenticate });
  const value = { name: 'x', tenantIds: ['t1'] };
  const request = create(issueCredential.input, {
    principal: { case: 'auditor', value },
    scopes: ['audit:read'],
    ttl: { seconds: 1n },
  });
  await expect(making.call({}, request)).rejects.toMatchObject({ code: 'caller_unknown' });
  expect(making.handled()).toBe(0);
  expect(asked).toEqual([
    [undefined, undefined],
    [operator, true],
  ]);
  const reading = serve(undefined, { of: getApp as DescMethodUnary, authenticate });
  await reading.call({}, create(getApp.input, { appId: 'a1' }));
  expect(asked).toHaveLength(3);
});

const { recordConsent } = ConsentService.method;
const { eraseUser, eraseTenant, revokeToken } = RevocationService.method;
test.each([
  [
    recordConsent,
    create(recordConsent.input, {
      tenantId: 't1',
      appId: 'a1',
      userId: 'ada',
      grants: [{ audience: 'orders', scopes: ['read'] }],
      ttl: { seconds: 1n },
      idempotencyKey: 'consent-1',
    }),
    [false, true],
  ],
  [eraseUser, create(eraseUser.input, { tenantId: 't1', userId: 'ada' }), [false, true]],
  [eraseTenant, create(eraseTenant.input, { tenantId: 't1' }), [false, true]],
  [revokeToken, create(revokeToken.input, { tokenOrId: { case: 'token', value: 'tks_x' } }), [false]],
])('whether $name is for who is known now, whatever was shown: %3$s', async (of, message, expected) => {
  const known: Caller = { ...caller, scopes: ['consents:write', 'tokens:revoke'] };
  const withCertificate = {
    header: (name: string) => (name === 'touchstone-client' ? 'identity_service:t1/login' : undefined),
    certificate: () => ({ sha256: 'c1', spiffeId: null, expiresAt: 1 }),
  };
  for (const shown of [{}, withCertificate]) {
    const asked: boolean[] = [];
    const authenticate: Authenticate = (_shown, _admitted, isLasting = false) => {
      asked.push(isLasting);
      return known;
    };
    await serve(undefined, { of: of as DescMethod as DescMethodUnary, authenticate }).call(shown, message);
    expect(asked).toEqual(expected);
  }
});

const watcher: Caller = { ...caller, kind: 'operator', scopes: ['tokens:revoke'] };
test.each<[string, Caller | null, string]>([
  ['is known no more', null, 'caller_unknown'],
  ['has none of its scopes any more', { ...watcher, scopes: ['registry:read'] }, 'caller_not_allowed'],
])(
  'a call that lasts is asked again whose it is, and goes on with the rights of now; who %s is told no more',
  async (_, last, code) => {
    const known = [watcher, { ...watcher, scopes: ['tokens:revoke_all'] }, last];
    const asked: unknown[] = [];
    const authenticate: Authenticate = async (_shown, admitted) => {
      asked.push(admitted);
      return known[asked.length - 1] ?? Promise.reject(new CallerUnknown());
    };
    const acts: Caller[] = [];
    async function* work({ act, requireStillAllowed }: CallContext) {
      for (let now = act; ; now = await requireStillAllowed()) {
        acts.push(now.caller);
        yield {};
      }
    }
    const of = RevocationService.method.watchRevocation as DescMethod as DescMethodUnary;
    const { admit, serving, told } = serve(work, { of, authenticate });
    const message = create(of.input, { revocationId: `rvk_${'0'.repeat(21)}` });
    const answers = serving.stream((await admit()) as Admitted, message);
    for (let i = 0; i < 2; i++) expect(await answers.next()).toMatchObject({ done: false });
    await expect(answers.next()).rejects.toMatchObject({ code });
    expect([acts, told.map(({ error }) => error?.code)]).toEqual([known.slice(0, 2), [code]]);
    expect(asked).toEqual([undefined, watcher, watcher]);
  },
);

test('what a known caller is refused before the handler is told once, and before the caller; of strangers nothing is', async () => {
  const heard: unknown[] = [];
  const refused: Refused = async ({ caller: who, traceId }, error) => {
    heard.push([who.name, traceId.length, (error as TouchstoneError).code]);
  };
  const { call } = serve(undefined, { refused });
  await call();
  await expect(call({ header: () => undefined })).rejects.toMatchObject({ code: 'caller_unknown' });
  expect(heard).toEqual([]);
  await expect(call({}, create(method.input))).rejects.toMatchObject({ code: 'invalid_field' });
  const other = serve(undefined, { as: { ...caller, scopes: [] }, refused });
  await expect(other.call()).rejects.toMatchObject({ code: 'caller_not_allowed' });
  expect(heard).toEqual([
    ['orders', 32, 'invalid_field'],
    ['orders', 32, 'caller_not_allowed'],
  ]);
});

test('a refusal that can not be told of is a failure of ours', async () => {
  const refused = () => Promise.reject(new StoreUnavailable());
  const { call, told } = serve(undefined, { as: { ...caller, scopes: [] }, refused });
  await expect(call()).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(told.map(({ error }) => error?.code)).toEqual(['store_unavailable']);
});

test('a call that the transport ends at its deadline is late, not left by its caller', async () => {
  const { call } = serve(() => new Promise(() => {}));
  let cancel = () => {};
  const onCancel = (listener: () => void) => {
    cancel = listener;
  };
  const deadline = Date.now() + 20;
  const waiting = call({ onCancel, deadline });
  while (Date.now() < deadline);
  cancel();
  await expect(waiting).rejects.toMatchObject({ code: 'deadline_exceeded' });
});

test('a caller that has gone before its work began gets none done', async () => {
  const { call, handled } = serve();
  await expect(call({ onCancel: (listener) => listener() })).rejects.toBeInstanceOf(Cancelled);
  expect(handled()).toBe(0);
});

test('a fault in an item of a batch is told with the trace id, and once', async () => {
  const of = ValidatorService.method.batchValidateTokens as DescMethodUnary;
  const fail = async ({ toStatus }: CallContext) => ({
    results: [{ outcome: { case: 'error', value: toStatus(new Error('hunter2')) } }],
  });
  const { call, told } = serve(fail, { of });
  const answer = await call({}, create(of.input, { requests: [request] } as never));
  expect(told.map(({ error }) => error?.code)).toEqual(['internal', undefined]);
  const text = JSON.stringify(fromBinary(of.output, answer));
  expect(text).toContain(told[0]?.traceId);
  expect(text).not.toContain('hunter2');
});

test('while the service is not ready it says that it is unavailable', async () => {
  await expect(serve(undefined, { ready: false }).call()).rejects.toMatchObject({ code: 'store_unavailable' });
});

test('an error that is not ours to tell becomes a fault of which nothing is told but the fact', async () => {
  const { call, told } = serve(async () => {
    throw new Error('password=hunter2');
  });
  const error = await call().catch((thrown) => thrown);
  expect(error).toMatchObject({ code: 'internal' });
  expect(error.message + JSON.stringify(error.metadata)).not.toContain('hunter2');
  expect(error.metadata).toEqual({ trace_id: told[0]?.traceId });
  expect(told[0]).toMatchObject({ method: 'touchstone.v1.ValidatorService/ValidateToken', caller });
});

test("the caller's trace is gone on with; without one a trace begins", async () => {
  const { call, told } = serve();
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  await call({ header: (name) => ({ traceparent, authorization: 'bearer x' })[name] });
  await call();
  expect(told[0]?.traceId).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  expect(told[1]?.traceId).toMatch(/^[0-9a-f]{32}$/);
});

test('every RPC names the scopes that it takes: without one nobody could call it', async () => {
  const nobody = { ...caller, scopes: [] };
  for (const { methods } of [IssuerService, RegistryService, RevocationService, ValidatorService]) {
    for (const of of methods as DescMethodUnary[]) {
      const error = await serve(undefined, { as: nobody, of })
        .call()
        .catch((thrown) => thrown);
      expect(error.code, of.name).toBe('caller_not_allowed');
      expect(error.message, of.name).toMatch(/: [a-z:_]+/);
    }
  }
});
