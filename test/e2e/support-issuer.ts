import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';
import { fileURLToPath } from 'node:url';
import { freePair } from '@touchstone/local-stack';
import { vi } from 'vitest';
import type { SharedStack } from '../harness/shared-stack.ts';

/** One more issuer on the database of a stack, ready; ends with the test. */
export const startAnotherIssuer = (stack: SharedStack): Promise<SharedStack & AsyncDisposable> =>
  startAnother('issuer', stack);

/** With what a service speaks TLS, and the CA by which it is believed. */
export interface Tls {
  readonly ca: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** One more replica of a service on the database of a stack, ready; ends with the test. */
export async function startAnother(
  name: 'issuer' | 'validator' | 'revocation',
  stack: SharedStack,
  tls: Tls | null = null,
): Promise<SharedStack & AsyncDisposable> {
  const [grpc, http] = await freePair();
  const main = fileURLToPath(new URL(`../../services/${name}/src/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [main], {
    stdio: 'ignore',
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      [`${name.toUpperCase()}_GRPC_PORT`]: String(grpc),
      [`${name.toUpperCase()}_HTTP_PORT`]: String(http),
      DATABASE_URL: stack.adminUrl,
      MASTER_KEY_FILE: stack.masterKeyFile,
      KAFKA_BROKERS: stack.kafkaBrokers.join(','),
      ...(name === 'revocation' ? { UPKEEP_DATABASE_URL: stack.adminUrl } : {}),
      ...tls?.environment,
    },
  });
  const exited = once(child, 'exit');
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${http}`;
  const isReady = async () => (await statusOf(`${url}/readyz`, tls?.ca)) === 200;
  await vi.waitUntil(isReady, { timeout: 30_000, interval: 100 });
  return {
    ...stack,
    [name]: `127.0.0.1:${grpc}`,
    http: { ...stack.http, [name]: url },
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}

/** The status of a page; 0 where nobody answers. */
function statusOf(url: string, ca: string | undefined): Promise<number> {
  return new Promise((resolve) => {
    const asked = ca === undefined ? httpGet(url) : httpsGet(url, { ca });
    asked.once('response', (response) => resolve(response.resume().statusCode ?? 0));
    asked.once('error', () => resolve(0));
  });
}
