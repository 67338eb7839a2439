import type { SigningKeyStore } from '@touchstone/core';
import type { ServiceRuntime } from '@touchstone/service-kit';
import type { DataKeys } from '@touchstone/token-methods';
import { expect, test, vi } from 'vitest';
import type { IssuerConfig } from './config.ts';
import { startJobs } from './jobs.ts';

test('keys are looked at every minute, but not while a look lasts, and a stop waits for it', async () => {
  vi.useFakeTimers();
  try {
    const looks: (() => void)[] = [];
    const listDue = () => new Promise<never[]>((resolve) => looks.push(() => resolve([])));
    const keys = { signingKeys: { listDue } as unknown as SigningKeyStore, dataKeys: {} as DataKeys };
    const jobs = startJobs(
      { SIGNING_KEY_DAYS: 90 } as IssuerConfig,
      { ...keys, isDead: () => false },
      {} as ServiceRuntime,
    );
    await vi.advanceTimersByTimeAsync(180_000);
    expect(looks).toHaveLength(1);
    looks[0]?.();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks).toHaveLength(2);
    let isStopped = false;
    const stopped = Promise.resolve(jobs[Symbol.asyncDispose]()).then(() => {
      isStopped = true;
    });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(isStopped).toBe(false);
    looks[1]?.();
    await stopped;
    expect(looks).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
});
