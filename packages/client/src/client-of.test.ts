import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Code } from '@connectrpc/connect';
import { ValidatorService } from '@touchstone/contracts';
import { expect, test } from 'vitest';
import { clientOf } from './client-of.ts';

test('a call to a server that says nothing ends when the time of the client is up, unless it has a time of its own', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const validator = clientOf(ValidatorService, url, 'tks_x', { timeoutMs: 200 });
  const started = performance.now();
  await expect(validator.validateToken({})).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  expect(performance.now() - started).toBeGreaterThanOrEqual(190);
  await expect(validator.validateToken({}, { timeoutMs: 1 })).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  silent.close();
});
