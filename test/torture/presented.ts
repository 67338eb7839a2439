import { attenuate } from '@touchstone/client';
import type { Issued } from './history.ts';
import type { Random } from './random.ts';

/** What is presented to a validator. */
export interface Presented {
  readonly token: string;
  /** The request that it is presented with; empty: none. */
  readonly request: string;
}

/** The ways of presenting a token: as it was issued, and, where its holder can narrow it, narrower copies of it. */
export function presentedOf(token: string, { method }: Pick<Issued, 'method'>, random: Random): readonly Presented[] {
  const whole = { token, request: '' };
  if (method !== 'attenuable' || random.next() < 0.3) return [whole];
  const request = Array.from({ length: 43 }, () => random.below(10)).join('');
  const narrower = attenuate(token, { scopes: ['orders:read'] });
  return [whole, { token: narrower, request: '' }, { token: attenuate(narrower, { request }), request }];
}

/** The key that signed a token, as far as its string tells. */
export function signingKeyIdOf(token: string, { method }: Pick<Issued, 'method'>): Issued['signingKeyId'] {
  switch (method) {
    case 'signed':
      return JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString()).kid;
    case 'encrypted':
    case 'split':
      return '';
    case 'reference':
    case 'consent_key':
    case 'attenuable':
    case 'refresh_token':
      return null;
  }
}
