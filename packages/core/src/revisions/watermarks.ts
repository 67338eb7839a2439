import { StoreUnavailable } from '../errors.ts';
import { type Ancestor, idOf, type TokenClass, type TokenRecord } from '../tokens/token-record.ts';
import { MarkTable } from './mark-table.ts';
import { appUserKey, type Cut, type CutKind, type CutTarget } from './revision.ts';

/**
 * What folding the cuts of one target and class gives. Only two ceilings are needed, whatever the number of cuts and of
 * spared tokens: the highest, and the highest among the cuts that don't spare the one that it spares.
 */
export interface Mark extends CutTarget {
  readonly tokenClass: TokenClass;
  /** The highest ceiling; null: none. */
  readonly ceiling: number | null;
  /** Whom the cut with the highest ceiling spares. */
  readonly sparedTokenId: string | null;
  /** What holds for the spared one; 0: nothing. */
  readonly sparedCeiling: number | null;
  /** Milliseconds since 1970 from which on nothing that it covers can be alive; null: never. */
  readonly coversUntil: number | null;
}

/** A ceiling of null is above every sequence. */
const height = (ceiling: number | null): number => ceiling ?? Number.POSITIVE_INFINITY;
/** What has this height. */
const finite = (value: number): number | null => (value === Number.POSITIVE_INFINITY ? null : value);
const higher = (a: number | null, b: number | null): number | null => (height(a) >= height(b) ? a : b);
/** An end of null is later than every other. */
const later = higher;

/** The mark after one more cut. Never lower than before. */
export function raise(mark: Mark | undefined, cut: Cut): Mark {
  const { kind, key, tokenClass, ceiling, sparedTokenId } = cut;
  if (!mark) return { kind, key, tokenClass, ceiling, sparedTokenId, sparedCeiling: 0, coversUntil: cut.coversUntil };
  const coversUntil = later(mark.coversUntil, cut.coversUntil);
  if (sparedTokenId === mark.sparedTokenId) return { ...mark, ceiling: higher(mark.ceiling, ceiling), coversUntil };
  if (height(ceiling) < height(mark.ceiling)) {
    return { ...mark, sparedCeiling: higher(mark.sparedCeiling, ceiling), coversUntil };
  }
  return { kind, key, tokenClass, ceiling, sparedTokenId, sparedCeiling: mark.ceiling, coversUntil };
}

/** The mark's bytes, as its mac is made over them. */
export const markText = (mark: Mark): string =>
  JSON.stringify([
    mark.tokenClass,
    mark.kind,
    mark.key,
    mark.ceiling,
    mark.sparedTokenId,
    mark.sparedCeiling,
    mark.coversUntil,
  ]);

/** Milliseconds. What the database's clock says has ended may live again when that clock is put right. */
const forgetMargin = 86_400_000;

interface Spared {
  readonly tokenId: string;
  readonly ceiling: number | null;
}

/** The marks of one kind and class. */
class Level {
  readonly #table = new MarkTable();
  /** Few spare a token. What is here counts only while the table has the mark. */
  readonly #spared = new Map<string, Spared>();

  get isEmpty(): boolean {
    return this.#table.size === 0;
  }

  put(mark: Mark): void {
    const { key, sparedTokenId: tokenId, sparedCeiling: ceiling } = mark;
    this.#table.set(key, height(mark.ceiling), height(mark.coversUntil));
    // Of a mark that spares none, `raise` never uses what holds for the spared one.
    if (tokenId === null) this.#spared.delete(key);
    else this.#spared.set(key, { tokenId, ceiling });
  }

  raise(cut: Cut): void {
    this.put(raise(this.#find(cut), cut));
  }

  /** Whether the token's sequence is under the key's mark. */
  covers(key: string, token: Ancestor | TokenRecord): boolean {
    return this.#table.covers(key, token.sequence) && !this.#spares(key, token);
  }

  isDead(key: string): boolean {
    return this.#table.ceilingOf(key) === Number.POSITIVE_INFINITY;
  }

  /** Looks at a small part of the marks, another with each call. */
  forget(before: number): void {
    this.#table.forget(before);
    const [first] = this.#spared;
    if (!first) return;
    const [key, spared] = first;
    this.#spared.delete(key);
    if (this.#table.ceilingOf(key) !== undefined) this.#spared.set(key, spared);
  }

  #spares(key: string, token: Ancestor | TokenRecord): boolean {
    const spared = this.#spared.get(key);
    return spared !== undefined && spared.tokenId === tokenIdOf(token) && token.sequence > height(spared.ceiling);
  }

  #find({ kind, key, tokenClass }: Cut): Mark | undefined {
    const ceiling = this.#table.ceilingOf(key);
    if (ceiling === undefined) return undefined;
    const coversUntil = finite(this.#table.coversUntilOf(key) as number);
    const { tokenId = null, ceiling: sparedCeiling = 0 } = this.#spared.get(key) ?? {};
    return { kind, key, tokenClass, ceiling: finite(ceiling), sparedTokenId: tokenId, sparedCeiling, coversUntil };
  }
}

const tokenIdOf = (token: Ancestor | TokenRecord): string => ('tokenId' in token ? token.tokenId : idOf(token));

type LevelsByKind = Readonly<Record<CutKind, Level>>;
const noMarks = (): LevelsByKind => ({
  token: new Level(),
  user: new Level(),
  app: new Level(),
  app_user: new Level(),
  tenant: new Level(),
  all: new Level(),
  resource_server: new Level(),
  consent: new Level(),
  signing_key: new Level(),
});

/** The marks of every target that has one. */
export class Watermarks {
  readonly #levels: Readonly<Record<TokenClass, LevelsByKind>> = { token: noMarks(), credential: noMarks() };
  #forgottenBefore = Number.NEGATIVE_INFINITY;

  constructor(marks: Iterable<Mark> = []) {
    for (const mark of marks) this.add(mark);
  }

  /**
   * Takes a mark as it was stored, of a target that has none here.
   * @throws StoreUnavailable where it is of no kind that is known here.
   */
  add(mark: Mark): void {
    const level = this.#levels[mark.tokenClass]?.[mark.kind];
    if (!level) throw new StoreUnavailable(new Error('the watermarks in the database are of a kind that is not known'));
    level.put(mark);
  }

  /**
   * Takes marks as `add` does, but none that `forget` would: of all that there has ever been, few cover anything alive.
   * @param now milliseconds since 1970.
   */
  addLasting(marks: readonly Mark[], now: number): void {
    const before = this.#forgetBefore(now);
    for (const mark of marks) if (height(mark.coversUntil) >= before) this.add(mark);
  }

  /** Applies a cut. */
  raise(cut: Cut): void {
    this.#levels[cut.tokenClass][cut.kind].raise(cut);
  }

  /** Whether the token, or one that it was derived from, is revoked. */
  revokes(record: TokenRecord): boolean {
    return this.#covers(record.tokenClass, record) || this.revokesAncestorOf(record);
  }

  /** Whether one of the tokens that it was derived from is revoked. */
  revokesAncestorOf(record: Pick<TokenRecord, 'lineage'>): boolean {
    for (const ancestor of record.lineage) if (this.#covers('token', ancestor)) return true;
    return false;
  }

  /**
   * Forgets marks that nothing alive can be under, a small part of them with each call. A later cut of the same target
   * starts anew, as after none.
   * @param now milliseconds since 1970.
   */
  forget(now: number): void {
    const before = this.#forgetBefore(now);
    for (const levels of Object.values(this.#levels)) {
      for (const level of Object.values(levels)) level.forget(before);
    }
  }

  #forgetBefore(now: number): number {
    const before = now - forgetMargin;
    this.#forgottenBefore = Math.max(this.#forgottenBefore, before);
    return before;
  }

  /** Whether nothing of this target can be honoured any more, whatever its sequence. */
  isDead({ kind, key }: CutTarget): boolean {
    return this.#levels.token[kind].isDead(key);
  }

  /** Whether all is here that anything alive can be under. @param now milliseconds since 1970. */
  isWholeAt(now: number): boolean {
    return now >= this.#forgottenBefore;
  }

  /** Texts are made only where a mark may ask for them: most tokens meet none. */
  #covers(tokenClass: TokenClass, token: Ancestor | TokenRecord): boolean {
    const levels = this.#levels[tokenClass];
    const single = this.#levels.token.token;
    const { appId, userHandle, consentId, signingKeyId } = token;
    return (
      levels.all.covers('', token) ||
      levels.tenant.covers(token.tenantId, token) ||
      levels.resource_server.covers(token.audience, token) ||
      (appId !== null && levels.app.covers(appId, token)) ||
      (userHandle !== null && levels.user.covers(userHandle, token)) ||
      (consentId !== null && levels.consent.covers(consentId, token)) ||
      (signingKeyId !== null && levels.signing_key.covers(signingKeyId, token)) ||
      (appId !== null &&
        userHandle !== null &&
        !levels.app_user.isEmpty &&
        levels.app_user.covers(appUserKey(appId, userHandle), token)) ||
      (!single.isEmpty && single.covers(tokenIdOf(token), token))
    );
  }
}
