import type { Principal } from '../access/act.ts';
import type { Awaitable } from '../awaitable.ts';
import { TokenTooLong } from '../errors.ts';
import type { WrappedKey } from '../keys/ports.ts';
import type { TokenKey } from './token-key.ts';
import {
  type Authorisation,
  ancestorsMax,
  type NewTokenRecord,
  type TokenMethodName,
  type TokenRecord,
} from './token-record.ts';
import { tokenCharactersMax } from './token-strings.ts';

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
  /** Who acts with it for the user, the latest first: those that exchanged it (RFC 8693 `act`). Absent: nobody. */
  readonly actors?: readonly string[];
  /** How a token that can be read names the user, where that is not by the user id. */
  readonly subject?: string | null;
  /** A public key as a JWK, in JSON, that a token which could be read is encrypted to. Absent: it can be read. */
  readonly recipient?: string | null;
}

/** What a new token is to be: everything but what its method decides. */
export type TokenDraft = Omit<Authorisation, 'key' | 'method' | 'signingKeyId'> & Pick<NewTokenRecord, 'drawnOn'>;

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
  /** It is good for requests only that are each of these: SHA-256 in base64url of what identifies one. */
  readonly requests: readonly string[];
}

/**
 * One way of making a token. Opening has two phases, so that a single gathered read serves every method: `locate` names
 * the row without I/O, `open` gets the row.
 */
export interface TokenMethod {
  readonly name: TokenMethodName;
  /** What its strings begin with: no other method's do. */
  readonly prefix: string;
  /**
   * Makes a token: a new string at each call, and the record that goes with it.
   * @param consentKey the key of the consent that it stands on; null: none.
   * @throws StoreUnavailable
   */
  mint(draft: TokenDraft, secrets: Secrets, consentKey: WrappedKey | null): Awaitable<MintedToken>;
  /** Null where the string was never made by this installation's keys: mistyped, cut short, made up. */
  locate(token: string): Located | null;
  /**
   * Null where the record does not fit the string: one of them has been changed.
   * @throws StoreUnavailable, where it takes a key that has yet to be read.
   */
  open(located: Located, record: TokenRecord): Awaitable<Opened | null>;
}

/** The methods of an installation, each found by its name or by what its strings begin with. */
export interface TokenMethods {
  /**
   * @throws RangeError where the draft has more ancestors than a token may have; TokenTooLong where the string would be
   * longer than any RPC takes; and as the method does.
   */
  mint(
    name: TokenMethodName,
    draft: TokenDraft,
    secrets: Secrets,
    consentKey?: WrappedKey | null,
  ): Promise<MintedToken>;
  /** Null where the string is no token of ours. */
  locate(token: string): { readonly method: TokenMethod; readonly located: Located } | null;
}

/** The set of methods that an installation knows. */
export function tokenMethods(methods: readonly TokenMethod[]): TokenMethods {
  const byName = new Map(methods.map((method) => [method.name, method]));
  return {
    async mint(name, draft, secrets, consentKey = null) {
      const method = byName.get(name);
      if (!method) throw new Error(`no token method is called ${name}`);
      if (draft.lineage.length > ancestorsMax) throw new RangeError(`a token has at most ${ancestorsMax} ancestors`);
      const minted = await method.mint(draft, secrets, consentKey);
      if (minted.token.length > tokenCharactersMax) throw new TokenTooLong(tokenCharactersMax);
      return minted;
    },
    locate(token) {
      const method = methods.find(({ prefix }) => token.startsWith(prefix));
      const located = method?.locate(token);
      return method && located ? { method, located } : null;
    },
  };
}
