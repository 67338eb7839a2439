import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePair } from '@touchstone/local-stack';
import { vi } from 'vitest';
import type { SharedStack } from '../harness/shared-stack.ts';

/** One more issuer on the database of a stack, ready; ends with the test. */
export const startAnotherIssuer = (stack: SharedStack): Promise<SharedStack & AsyncDisposable> =>
  startAnother('issuer', stack);

/** One more replica of a service on the database of a stack, ready; ends with the test. */
export async function startAnother(
  name: 'issuer' | 'validator',
  stack: SharedStack,
): Promise<SharedStack & AsyncDisposable> {
  const [grpc, http] = await freePair();
  const main = fileURLToPath(new URL(`../../services/${name}/src/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [main], {
    stdio: 'ignore',
    env: {
      PATH: process.env.PATH,
      [`${name.toUpperCase()}_GRPC_PORT`]: String(grpc),
      [`${name.toUpperCase()}_HTTP_PORT`]: String(http),
      DATABASE_URL: stack.adminUrl,
      MASTER_KEY_FILE: stack.masterKeyFile,
      KAFKA_BROKERS: stack.kafkaBrokers.join(','),
    },
  });
  const exited = once(child, 'exit');
  const isReady = () =>
    fetch(`http://127.0.0.1:${http}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await vi.waitUntil(isReady, { timeout: 30_000, interval: 100 });
  return {
    ...stack,
    [name]: `127.0.0.1:${grpc}`,
    http: { ...stack.http, [name]: `http://127.0.0.1:${http}` },
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}
