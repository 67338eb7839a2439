import { type TokenMethod, tokenMethods } from './tokens/token-method.ts';

let minted = 0;

/** A token method for tests: its strings are keys, and what it hides is in the open. */
const plainMethod: TokenMethod = {
  name: 'reference',
  letter: 'p',
  mint(draft, secrets) {
    const key = { partition: 1, key: String(++minted).padStart(32, '0') };
    const sealed = Buffer.from(JSON.stringify(secrets));
    const kept = { tokenHash: '', tagKeyId: 1, sealKeyId: 1, sealed };
    return { token: `tks_p${key.key}`, record: { ...draft, key, method: 'reference', signingKeyId: null, ...kept } };
  },
  locate: (token) => (token.length === 37 ? { key: { partition: 1, key: token.slice(5) }, material: null } : null),
  open: (_, { sealed, scopes, expiresAt }) =>
    sealed.length > 0 ? { ...JSON.parse(sealed.toString()), scopes, expiresAt } : null,
};

export const methods = tokenMethods([plainMethod]);
