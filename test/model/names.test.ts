import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** What the model has from each file of the code, under the name that it has there. */
const names: Readonly<Record<string, readonly string[]>> = {
  'clock.ts': ['Instant', 'wall', 'monotonic', 'instantOf', 'ageOf'],
  'issue/ports.ts': ['draw', 'insert', 'sequence'],
  'revisions/chain.ts': ['continues'],
  'revisions/follower.ts': [
    ...['applied', 'watermarks', 'server', 'inForce', 'provenAt', 'databaseTime', 'releasedAt'],
    ...['Question', 'sentAt', 'absorb', 'apply', 'meet', 'prove', 'reload', 'adopt'],
    ...['contradicts', 'age', 'databaseNow', 'hasReached'],
  ],
  'revisions/watermarks.ts': ['Watermarks', 'Mark', 'ceiling', 'coversUntil'],
  'validate/consistency.ts': ['fully_consistent', 'max_staleness', 'at_least_revision', 'isFreshEnough'],
  'validate/consistent-records.ts': ['RecordsAsOf', 'records', 'watermarks'],
  'validate/decide.ts': ['decide', 'Decision', 'revoked', 'expired', 'lineage'],
  'validate/ports.ts': ['Release'],
  'validate/presence.ts': ['beat', 'committedAt', 'requireCurrent'],
  'validate/validate-token.ts': ['begin', 'recall', 'conclude', 'tell', 'release'],
};

const code = new URL('../../packages/core/src/', import.meta.url);
const model = readdirSync(import.meta.dirname)
  .filter((name) => !name.endsWith('.test.ts'))
  .map((name) => wordsIn(new URL(name, import.meta.url)))
  .reduce((all, words) => all.union(words));

/** Of what is no comment. */
function wordsIn(file: URL): Set<string> {
  const text = readFileSync(file, 'utf8').replaceAll(/\/\*.*?\*\/|\/\/.*?$/gms, '');
  return new Set(text.match(/\w+/g));
}

test.each(Object.entries(names))("the model's names are those of %s", (file, itsNames) => {
  const words = wordsIn(new URL(file, code));
  expect(itsNames.filter((name) => !words.has(name))).toEqual([]);
  expect(itsNames.filter((name) => !model.has(name))).toEqual([]);
});
