import { create, type DescMethodUnary, type Message } from '@bufbuild/protobuf';
import { IssuerService, RegistryService, RevocationService, ValidatorService } from '@touchstone/contracts';
import { type Caller, Cancelled, type TouchstoneError } from '@touchstone/core';
import { expect, test } from 'vitest';
import type { CallRecord } from '../telemetry/call-events.ts';
import { endpoint, type IncomingCall } from './pipeline.ts';

const caller: Caller = {
  kind: 'resource_server',
  name: 'orders',
  tenantIds: ['acme'],
  scopes: ['tokens:validate'],
  credentialId: 'tok_1',
  credentialExpiresAt: Number.POSITIVE_INFINITY,
};
const method = ValidatorService.method.validateToken as DescMethodUnary;
const request = create(method.input, { token: 'tks_x', audience: 'orders', requiredScopes: ['read'] } as never);

/** An endpoint with a handler that is counted, and what was told of its calls. */
function serve(
  work: () => Promise<object> = async () => ({}),
  { ready = true, as = caller, of = method }: { ready?: boolean; as?: Caller; of?: DescMethodUnary } = {},
) {
  const told: (CallRecord & { error?: TouchstoneError })[] = [];
  let handled = 0;
  const events = {
    answered: (call: CallRecord) => void told.push(call),
    failed: (call: CallRecord, error: TouchstoneError) => void told.push({ ...call, error }),
  };
  const handler = async () => {
    handled++;
    return work();
  };
  const serving = endpoint(of, () => (ready ? (handler as never) : null), {
    authenticate: () => async () => as,
    events,
  });
  const call = (over: Partial<IncomingCall> = {}, message: Message = request) =>
    serving(message, {
      peer: 'peer',
      deadline: Number.POSITIVE_INFINITY,
      header: (name) => (name === 'authorization' ? 'Bearer x' : undefined),
      onCancel() {},
      ...over,
    });
  return { call, told, handled: () => handled };
}

test('a call whose deadline has passed does no work', async () => {
  const { call, handled } = serve();
  await expect(call({ deadline: Date.now() - 1 })).rejects.toMatchObject({ code: 'deadline_exceeded' });
  expect(handled()).toBe(0);
});

test('a caller is answered at its deadline, and when it goes away, whatever the work does', async () => {
  const { call } = serve(() => new Promise(() => {}));
  await expect(call({ deadline: Date.now() + 20 })).rejects.toMatchObject({ code: 'deadline_exceeded' });
  let cancel = () => {};
  const onCancel = (listener: () => void) => {
    cancel = listener;
  };
  const waiting = call({ onCancel });
  await new Promise((resolve) => setImmediate(resolve));
  cancel();
  await expect(waiting).rejects.toBeInstanceOf(Cancelled);
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
