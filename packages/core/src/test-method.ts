import {
  type Located,
  type MintedToken,
  type Secrets,
  type TokenDraft,
  type TokenMethod,
  tokenMethods,
} from './tokens/token-method.ts';
import type { TokenRecord } from './tokens/token-record.ts';

let minted = 0;

/** A token method for tests: its strings are keys, and what it hides is in the open. */
export const plainMethod = {
  name: 'reference',
  prefix: 'tks_p',
  mint(draft: Omit<TokenDraft, 'drawnOn'>, secrets: Secrets): MintedToken {
    const key = { partition: 1, key: String(++minted).padStart(32, '0') };
    const sealed = Buffer.from(JSON.stringify(secrets));
    const kept = { tokenHash: '', tagKeyId: 1, sealKeyId: 1, sealed, drawnOn: 'first' };
    return { token: `tks_p${key.key}`, record: { ...draft, key, method: 'reference', signingKeyId: null, ...kept } };
  },
  locate: (token: string) =>
    token.length === 37 ? { key: { partition: 1, key: token.slice(5) }, material: null } : null,
  open: (_: Located, { sealed, scopes, expiresAt }: TokenRecord) =>
    sealed.length > 0 ? { ...JSON.parse(sealed.toString()), scopes, expiresAt, requests: [] } : null,
} satisfies TokenMethod;

export const methods = tokenMethods([plainMethod]);
