import { commonLimits, type Dimensions, type Limits, type Policy, type Rule } from './policy.ts';

const dimensions = [
  'clientType',
  'hostingType',
  'usage',
  'audience',
  'environment',
] as const satisfies (keyof Dimensions)[];
const bitsOfWord = 32;

/** A set of rules: a bit for each, in the order of the policy. */
type RuleSet = Uint32Array;

/** The rules about each value of one dimension. */
interface Column {
  readonly byValue: ReadonlyMap<string, RuleSet>;
  /** Those about any value. */
  readonly others: RuleSet;
}

/** A policy, ready to be asked. */
export interface IndexedPolicy {
  readonly version: number;
  readonly rules: RuleIndex;
}

export const indexed = ({ version, rules }: Policy): IndexedPolicy => ({ version, rules: new RuleIndex(rules) });

/** What the rules that are about a token say. */
export interface RulesAbout {
  readonly rules: readonly Rule[];
  /** All their limits as one. */
  readonly limits: Limits;
}

/** Of how many kinds of tokens it is remembered which rules are about them: there is an index for each tenant. */
const rememberedMax = 1_000;

/** The rules of a policy by what they are about. */
export class RuleIndex {
  readonly #rules: readonly Rule[];
  readonly #columns: readonly Column[];
  readonly #remembered = new Map<string, RulesAbout>();

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
    this.#columns = dimensions.map((dimension) => columnOf(rules, dimension));
  }

  about(token: Dimensions): RulesAbout {
    const key = dimensions.map((dimension) => token[dimension]).join(' ');
    const known = this.#remembered.get(key);
    if (known) return known;
    const rules = this.#matching(token);
    const about = { rules, limits: commonLimits(rules.map(({ limits }) => limits)) };
    if (this.#remembered.size >= rememberedMax) this.#remembered.clear();
    this.#remembered.set(key, about);
    return about;
  }

  #matching(token: Dimensions): Rule[] {
    const sets = this.#columns.map(({ byValue, others }, at) => byValue.get(token[dimensions[at] as never]) ?? others);
    const matching: Rule[] = [];
    for (let word = 0; word * bitsOfWord < this.#rules.length; word++) {
      let bits = sets.reduce((common, set) => common & (set[word] as number), -1);
      while (bits !== 0) {
        const bit = Math.clz32(bits & -bits) ^ (bitsOfWord - 1);
        matching.push(this.#rules[word * bitsOfWord + bit] as Rule);
        bits &= bits - 1;
      }
    }
    return matching;
  }
}

function columnOf(rules: readonly Rule[], dimension: keyof Dimensions): Column {
  const others = new Uint32Array(Math.ceil(rules.length / bitsOfWord));
  rules.forEach(({ match }, at) => {
    if (match[dimension] === null) add(others, at);
  });
  const byValue = new Map<string, RuleSet>();
  rules.forEach(({ match }, at) => {
    for (const value of match[dimension] ?? []) {
      const set = byValue.get(value) ?? others.slice();
      byValue.set(value, set);
      add(set, at);
    }
  });
  return { byValue, others };
}

function add(set: RuleSet, at: number): void {
  (set[at >>> 5] as number) |= 1 << (at & 31);
}
