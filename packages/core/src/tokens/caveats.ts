import { isDeepStrictEqual } from 'node:util';

/** What a holder took from a token before passing it on: scopes but these, time after this, all requests but this one. */
export type Caveat =
  | { readonly kind: 'scopes'; readonly scopes: readonly string[] }
  /** Seconds since 1970. */
  | { readonly kind: 'expiry'; readonly expiresAt: number }
  /** SHA-256 in base64url of what identifies the request. */
  | { readonly kind: 'request'; readonly binding: string };

const scope = '[a-z0-9][a-z0-9._:/-]{0,127}';
const forms = {
  scopes: new RegExp(`^scope (${scope}(?: ${scope}){0,63})$`),
  expiry: /^exp ([1-9][0-9]{0,11})$/,
  request: /^req ([A-Za-z0-9_-]{43})$/,
} as const;

/** By the names that whoever narrows a token gives. */
const rules: Readonly<Record<Caveat['kind'], string>> = {
  scopes: 'scopes must be 1 to 64, each of up to 128 of a-z, 0-9 and . _ : / -, with a letter or a digit first',
  expiry: 'expiresAt must be whole seconds since 1970, not milliseconds',
  request: 'request must be a SHA-256 in base64url: 43 characters',
};

/** @throws RangeError where it is not of a form that validators know. */
export function formatCaveat(caveat: Caveat): string {
  const text = textOf(caveat);
  // Read back: a scope with a space in it would be two.
  if (!isDeepStrictEqual(parseCaveat(text), caveat)) throw new RangeError(rules[caveat.kind]);
  return text;
}

function textOf(caveat: Caveat): string {
  switch (caveat.kind) {
    case 'scopes':
      return `scope ${caveat.scopes.join(' ')}`;
    case 'expiry':
      return `exp ${caveat.expiresAt}`;
    case 'request':
      return `req ${caveat.binding}`;
  }
}

/** Null where it is none, or of a kind that is not known: then the whole token is refused. */
export function parseCaveat(text: string): Caveat | null {
  const scopes = forms.scopes.exec(text)?.[1];
  if (scopes !== undefined) return { kind: 'scopes', scopes: scopes.split(' ') };
  const expiry = forms.expiry.exec(text)?.[1];
  if (expiry !== undefined) return { kind: 'expiry', expiresAt: Number(expiry) };
  const binding = forms.request.exec(text)?.[1];
  return binding === undefined ? null : { kind: 'request', binding };
}
