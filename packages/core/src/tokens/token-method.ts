import type { Principal } from '../access/act.ts';
import type { TokenKey } from './token-key.ts';
import {
  type Authorisation,
  ancestorsMax,
  type NewTokenRecord,
  type TokenMethodName,
  type TokenRecord,
} from './token-record.ts';

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };
export type Claims = Readonly<Record<string, JsonValue>>;

/** What a token hides from its holder and from whoever reads the database. */
export interface Secrets {
  readonly userId: string | null;
  readonly claims: Claims;
  /** Whom a credential is for; null for tokens. */
  readonly principal: Principal | null;
}

/** What a new token is to be: everything but what its method decides. */
export type TokenDraft = Omit<Authorisation, 'key' | 'method' | 'signingKeyId'>;

export interface MintedToken {
  /** The string to hand out; nothing but its hash is kept. */
  readonly token: string;
  readonly record: NewTokenRecord;
}

/** A presented string that may be a token: where its record is, and what the method needs to open it. */
export interface Located {
  readonly key: TokenKey;
  /** The method's own; secret. */
  readonly material: unknown;
}

/** What a presented string tells and allows: never more than its record. */
export interface Opened extends Secrets {
  readonly scopes: readonly string[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * One way of making a token. Opening has two phases, so that a single gathered read serves every method: `locate` names
 * the row without I/O, `open` gets the row.
 */
export interface TokenMethod {
  readonly name: TokenMethodName;
  /** The letter after `tks_` by which a string names its method. */
  readonly letter: string;
  /** Makes a token: a new string at each call, and the record that goes with it. */
  mint(draft: TokenDraft, secrets: Secrets): MintedToken;
  /** Null where the string was never made by this installation's keys: mistyped, cut short, made up. */
  locate(token: string): Located | null;
  /** Null where the record does not fit the string: one of them has been changed. */
  open(located: Located, record: TokenRecord): Opened | null;
}

/** The methods of an installation, each found by its name or by the letter in a string. */
export interface TokenMethods {
  /** @throws RangeError where the draft has more ancestors than a token may have. */
  mint(name: TokenMethodName, draft: TokenDraft, secrets: Secrets): MintedToken;
  /** Null where the string is no token of ours. */
  locate(token: string): { readonly method: TokenMethod; readonly located: Located } | null;
}

/** The set of methods that an installation knows. */
export function tokenMethods(methods: readonly TokenMethod[]): TokenMethods {
  const byLetter = new Map(methods.map((method) => [method.letter, method]));
  const byName = new Map(methods.map((method) => [method.name, method]));
  return {
    mint(name, draft, secrets) {
      const method = byName.get(name);
      if (!method) throw new Error(`no token method is called ${name}`);
      if (draft.lineage.length > ancestorsMax) throw new RangeError(`a token has at most ${ancestorsMax} ancestors`);
      return method.mint(draft, secrets);
    },
    locate(token) {
      const method = token.startsWith('tks_') ? byLetter.get(token.charAt(4)) : undefined;
      const located = method?.locate(token);
      return method && located ? { method, located } : null;
    },
  };
}
