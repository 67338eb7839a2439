import { randomBytes } from 'node:crypto';
import type { TokenDraft } from '@touchstone/core';
import { type KeyRing, openKeyRing, referenceMethod } from '@touchstone/token-methods';
import { type InstallationKeysSource, installationKeys } from '../harness/installation-keys.ts';

const draft: TokenDraft = {
  tokenClass: 'token',
  tenantId: 'nobody',
  appId: 'nothing',
  userHandle: null,
  consentId: null,
  audience: 'nowhere',
  scopes: ['orders:read'],
  usage: 'test',
  policyVersion: 0,
  confirmation: null,
  lineage: [],
  sequence: 1,
  drawnOn: '',
  issuedAt: Date.now(),
  expiresAt: Date.now() + 3_600_000,
};

const stringUnder = (keys: KeyRing, over: Partial<TokenDraft>): string =>
  referenceMethod(keys).mint({ ...draft, ...over }, { userId: null, claims: {}, principal: null }).token;

/** A string that only the installation itself could have made, of which there is no record. */
export const unknownString = async (stack: InstallationKeysSource, over: Partial<TokenDraft> = {}): Promise<string> =>
  stringUnder(await installationKeys(stack), over);

/** A string of the right form, prefix and checksum, made up under keys of somebody else. */
export const forgedString = (): string => stringUnder(openKeyRing(randomBytes(32)), {});
