import { TokenMethod } from '@touchstone/contracts';
import type { TokenMethodName } from '@touchstone/core';

export const methodNames: Readonly<Record<TokenMethod, TokenMethodName>> = {
  [TokenMethod.UNSPECIFIED]: 'reference',
  [TokenMethod.REFERENCE]: 'reference',
  [TokenMethod.ENCRYPTED]: 'encrypted',
  [TokenMethod.CONSENT_KEY]: 'consent_key',
  [TokenMethod.SIGNED]: 'signed',
  [TokenMethod.SPLIT]: 'split',
  [TokenMethod.ATTENUABLE]: 'attenuable',
};
