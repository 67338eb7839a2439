import type { Scope } from '../register/registration.ts';
import { sharing } from '../sharing.ts';
import type { TokenRecord, Usage } from '../tokens/token-record.ts';
import type { Cap } from './cap.ts';
import { capOfRules } from './caps-of.ts';
import type { Dimensions } from './policy.ts';
import type { RuleIndex } from './rule-index.ts';

/** What rules tell apps apart by. */
export type AppKind = Pick<Dimensions, 'clientType' | 'hostingType' | 'environment'>;

/** Of what kind an app is; null: there is no such app. @throws StoreUnavailable, Overloaded */
export type ReadAppKind = (appId: string) => Promise<AppKind | null>;

/** Of how many apps it is remembered of what kind they are. */
const rememberedMax = 10_000;

const nothing: Cap = { by: 'policy', scopes: new Set() };

/**
 * What a tenant's policy holds against the tokens that there are for one of its resource servers, as of the revision that it
 * was read at: its rules that hold for issued tokens. For as long as no revision changes that, or of what kind an app is.
 */
export class Holds {
  readonly #rules: RuleIndex;
  readonly #owned: readonly Scope[];
  readonly #readKind: ReadAppKind;
  /** Null: there is no such app. */
  readonly #kinds = new Map<string, AppKind | null>();

  /**
   * @param rules those that hold for issued tokens.
   * @param owned the scopes of the resource server; none where it is not known, for nobody can tell then how much harm they do.
   */
  constructor(rules: RuleIndex, owned: readonly Scope[], readKind: ReadAppKind) {
    this.#rules = rules;
    this.#owned = owned;
    this.#readKind = sharing(readKind, (appId) => appId);
  }

  /** The cap that holds for the token; null: none; undefined: of what kind its app is has yet to be read. */
  capOf(record: TokenRecord): Cap | null | undefined {
    const kind = this.#kinds.get(record.appId ?? '');
    return kind === undefined ? undefined : this.#capFor(record, kind);
  }

  /** The caps that hold for tokens, in order; null where none does. @throws StoreUnavailable, Overloaded */
  async capsOf(records: readonly (TokenRecord | null)[]): Promise<readonly (Cap | null)[]> {
    const kinds = await this.#kindsOf([...new Set(records.flatMap((record) => record?.appId ?? []))]);
    return records.map((record) => record && this.#capFor(record, kinds.get(record.appId ?? '') ?? null));
  }

  async #kindsOf(appIds: readonly string[]): Promise<ReadonlyMap<string, AppKind | null>> {
    // Taken before others are read: those may push it out of what is remembered.
    const kinds = new Map(appIds.map((appId) => [appId, this.#kinds.get(appId)]));
    const unknown = appIds.filter((appId) => kinds.get(appId) === undefined);
    const read = await Promise.all(unknown.map((appId) => this.#readKind(appId)));
    if (this.#kinds.size + unknown.length > rememberedMax) this.#kinds.clear();
    unknown.forEach((appId, i) => {
      const kind = read[i] ?? null;
      kinds.set(appId, kind);
      this.#kinds.set(appId, kind);
    });
    return kinds as ReadonlyMap<string, AppKind | null>;
  }

  /** Of an app that is not known nothing can be said: it has nothing. */
  #capFor({ usage, audience, lineage }: TokenRecord, kind: AppKind | null): Cap | null {
    if (!kind) return nothing;
    const about = (at: string) => this.#rules.about({ ...kind, usage: usage as Usage, audience: at });
    // Of what a token was derived from its record tells no more than whom and what for that was.
    for (const ancestor of lineage) if (about(ancestor.audience).limits.scopes?.length === 0) return nothing;
    const held = about(audience);
    return held.rules.length > 0 ? capOfRules(held, this.#owned) : null;
  }
}
