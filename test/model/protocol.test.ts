import { describe, expect, test } from 'vitest';
import { search } from './checker.ts';
import { type ConfigurationName, configurations, needed } from './configurations.ts';
import { guardNames, guards } from './guards.ts';
import { protocol, without } from './protocol.ts';
import { type Configuration, type Invariant, statesMax } from './state.ts';

// A machine that is busy with other things must not fail them.
const timeout = 120_000;

/** A million takes twenty seconds: two minutes are enough for all. */
const statesOfAllMax = 5_000_000;
let statesOfAll = 0;

function searched(configuration: Configuration) {
  const found = search(protocol(configuration), statesMax);
  statesOfAll += found.states;
  return found;
}

/** Fewer than these, and something has ceased to happen in the model. */
const statesMin: Readonly<Record<ConfigurationName, number>> = {
  'issued and revoked': 40_000,
  'two validators': 30_000,
  'requests share batches': 5_000,
  'an app is disabled': 20_000,
  'a consent is withdrawn, a key revoked': 20_000,
  'derived tokens': 3_000,
  'a validator starts': 40_000,
  'as fresh as a revision': 2_000,
  'cached and suspended': 2_500,
  'cached, wall clock set back': 2_500,
  'cached until expiry': 100_000,
  'less is shown': 10_000,
  'less is shown from a cache': 2_500,
  'restored, less is shown': 50_000,
  'marks are forgotten': 8_000,
  'restored, revoked anew': 35_000,
  'restored, issued anew': 60_000,
  'restored, with a cache': 55_000,
  'restored, two questions at once': 35_000,
  'restored, as fresh as a revision': 200_000,
  'found to be complete': 60_000,
  'cut off': 300_000,
  'cut off, connections last': 90_000,
};

describe('no promise is broken, whatever happens in which order', () => {
  test.each(Object.entries(configurations))(
    '%s',
    (name, configuration) => {
      const { isComplete, states, violation } = searched(configuration);
      expect({ isComplete, violation }).toEqual({ isComplete: true, violation: null });
      expect(states).toBeGreaterThanOrEqual(statesMin[name as ConfigurationName]);
    },
    timeout,
  );
});

describe('a promise is broken where it is not so that', () => {
  test.each(guardNames.map((guard) => [guards[guard], needed[guard][1], guard] as const))(
    '%s: number %i',
    (_, invariant: Invariant, guard) => {
      expect(searched(without(guard)).violation?.invariant).toBe(invariant);
    },
    timeout,
  );
});

test('all of it is not too much to search in CI', () => {
  expect(statesOfAll).toBeLessThan(statesOfAllMax);
});
