import type { PublicSigningKey, SigningKeyStore } from '@touchstone/core';
import type { ServiceRuntime } from '@touchstone/service-kit';
import { type DataKeys, rotateDue } from '@touchstone/token-methods';
import type { IssuerConfig } from './config.ts';

const lookMilliseconds = 60_000;
const millisecondsPerDay = 86_400_000;

interface Keys {
  readonly signingKeys: SigningKeyStore;
  readonly dataKeys: DataKeys;
  isDead(key: PublicSigningKey): boolean;
}

/** Rotates signing keys that have signed for long enough. Every issuer looks, and one of them does it. */
export function startJobs(
  { SIGNING_KEY_DAYS: days }: IssuerConfig,
  { signingKeys, dataKeys, isDead }: Keys,
  { logger }: ServiceRuntime,
): AsyncDisposable {
  let underWay: Promise<void> | null = null;
  const timer = setInterval(() => {
    underWay ??= rotateDue(signingKeys, dataKeys, days * millisecondsPerDay, isDead)
      .then(
        (rotated) => {
          if (rotated > 0) logger.info({ rotated }, 'signing keys have been rotated');
        },
        (err) => logger.warn({ err }, 'signing keys could not be rotated; it is tried again'),
      )
      .finally(() => {
        underWay = null;
      });
  }, lookMilliseconds);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await underWay;
    },
  };
}
