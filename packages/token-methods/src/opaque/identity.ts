import { timingSafeEqual } from 'node:crypto';
import { formatOpaque, identifyingOf, parseOpaque, partitionOf, type TokenKey } from '@touchstone/core';
import { currentKeyId, type KeyRing, type TokenKeys } from '../keys/key-ring.ts';

/** What identifies a token, and the secrets that follow from it. */
export interface Identity {
  readonly key: TokenKey;
  readonly identifying: Buffer;
  readonly secrets: TokenKeys;
}

/** The identity of a new token. @param unique what nobody can guess, and no other token has. */
export function newIdentity(keys: KeyRing, letter: string, expiresAt: number, unique: Uint8Array): Identity {
  const partition = partitionOf(expiresAt);
  const identifying = identifyingOf(letter, partition, currentKeyId, unique);
  const secrets = keys.tokenKeys(identifying);
  return { key: { partition, key: secrets.lookup }, identifying, secrets };
}

/** The token's string. @param rest what else its method puts into it. */
export const formatIdentity = ({ identifying, secrets }: Identity, rest = ''): string =>
  formatOpaque(identifying, secrets.tag, rest);

/** The identity of a presented string, and what else the string says; null where it was not made under our keys. */
export function identify(keys: KeyRing, letter: string, token: string): (Identity & { rest: string }) | null {
  const parts = parseOpaque(letter, token);
  if (parts?.keyId !== currentKeyId) return null;
  const { partition, identifying, tag, rest } = parts;
  const secrets = keys.tokenKeys(identifying);
  if (!timingSafeEqual(secrets.tag, tag)) return null;
  return { key: { partition, key: secrets.lookup }, identifying, secrets, rest };
}
