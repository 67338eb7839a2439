import { type Ancestor, idOf, type TokenClass, type TokenRecord } from '../tokens/token-record.ts';
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

const kinds: readonly CutKind[] = ['token', 'user', 'app', 'app_user', 'tenant', 'all', 'resource_server'];
type MarksByKind = Readonly<Record<CutKind, Map<string, Mark>>>;
const emptyMarks = (): MarksByKind =>
  Object.fromEntries(kinds.map((kind) => [kind, new Map<string, Mark>()])) as unknown as MarksByKind;

/** The marks of every target that has one. */
export class Watermarks {
  readonly #marks: Readonly<Record<TokenClass, MarksByKind>> = { token: emptyMarks(), credential: emptyMarks() };

  constructor(marks: Iterable<Mark> = []) {
    for (const mark of marks) this.#marks[mark.tokenClass][mark.kind].set(mark.key, mark);
  }

  /** Applies a cut. */
  raise(cut: Cut): void {
    const marks = this.#marks[cut.tokenClass][cut.kind];
    marks.set(cut.key, raise(marks.get(cut.key), cut));
  }

  /** Whether the token, or one that it was derived from, is revoked. */
  revokes(record: TokenRecord): boolean {
    return (
      this.#revokes(record.tokenClass, () => idOf(record), record) ||
      record.lineage.some((ancestor) => this.#revokes('token', () => ancestor.tokenId, ancestor))
    );
  }

  /** @param tokenId is made only where a mark asks for it: most tokens meet none. */
  #revokes(tokenClass: TokenClass, tokenId: () => string, token: Ancestor | TokenRecord): boolean {
    const marks = this.#marks[tokenClass];
    const { sequence, appId, userHandle } = token;
    const cut = (kind: CutKind, key: string) => isBelow(marks[kind].get(key), tokenId, sequence);
    return (
      cut('all', '') ||
      cut('tenant', token.tenantId) ||
      cut('resource_server', token.audience) ||
      (appId !== null && cut('app', appId)) ||
      (userHandle !== null && cut('user', userHandle)) ||
      (appId !== null &&
        userHandle !== null &&
        marks.app_user.size > 0 &&
        cut('app_user', appUserKey(appId, userHandle))) ||
      (this.#marks.token.token.size > 0 && isBelow(this.#marks.token.token.get(tokenId()), tokenId, sequence))
    );
  }
}

const isBelow = (mark: Mark | undefined, tokenId: () => string, sequence: number): boolean => {
  if (mark === undefined) return false;
  const isSpared = mark.sparedTokenId !== null && mark.sparedTokenId === tokenId();
  return sequence <= height(isSpared ? mark.sparedCeiling : mark.ceiling);
};
