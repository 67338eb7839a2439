/**
 * The consistency protocol as a system that can be searched completely: issuers, revocations, validators, their database
 * and what goes wrong with all of them, under the names that the code has for them.
 */
import { hash } from 'node:crypto';
import type { Step, System } from './checker.ts';
import { configurations, needed } from './configurations.ts';
import { databaseSteps, emptyDatabase, noToken } from './database.ts';
import { watermarksOf } from './follower.ts';
import { forgetWhatNeverMatters } from './forget.ts';
import type { Guard } from './guards.ts';
import {
  type Configuration,
  copyOf,
  type Database,
  type Instant,
  type Invariant,
  type State,
  type Validator,
  type ValidatorPlan,
} from './state.ts';
import type { Take } from './take.ts';
import { validatorSteps } from './validator.ts';

export const protocol = (configuration: Configuration): System<State, Invariant> => ({
  initial: initialState(configuration),
  steps: (state) => stepsFrom(configuration, state),
  key: keyOf,
});

/** The configuration that shows what the guard is for, without it. */
export function without(guard: Guard): Configuration {
  const [name] = needed[guard];
  const configuration: Configuration = configurations[name];
  return { ...configuration, guards: { ...configuration.guards, [guard]: false } };
}

/** States have the same properties in the same order. The hash of its text: half a million of the texts would be too large. */
const keyOf = (state: State): string => hash('sha256', JSON.stringify(state), 'base64');

function stepsFrom(configuration: Configuration, state: State): Step<State, Invariant>[] {
  const steps: Step<State, Invariant>[] = [];
  const take: Take = (name, change) => {
    const next = copyOf(state);
    const broken = change(next) ?? null;
    forgetWhatNeverMatters(configuration, next);
    steps.push({ name, state: next, broken });
  };
  timeSteps(configuration, state, take);
  databaseSteps(configuration, state, take);
  for (const index of state.validators.keys()) validatorSteps(configuration, state, index, take);
  return steps;
}

function timeSteps({ timeMax, validators }: Configuration, state: State, take: Take): void {
  if (state.now >= timeMax) return;
  const tick = (next: State) => {
    next.now++;
  };
  take(`a tick passes: ${state.now + 1}`, tick);
  for (const [index, { clocks }] of validators.entries()) {
    const { wallBehind, monotonicBehind } = state.validators[index] as Validator;
    if (clocks === null || wallBehind + monotonicBehind > 0) continue;
    take(`a tick passes: ${state.now + 1}; validator ${index}: ${clocks}`, (next) => {
      tick(next);
      (next.validators[index] as Validator)[clocks === 'suspended' ? 'monotonicBehind' : 'wallBehind']++;
    });
  }
}

function initialState(configuration: Configuration): State {
  const primary = emptyDatabase(configuration);
  return {
    now: 0,
    tokens: configuration.tokens.map(() => noToken),
    revocations: configuration.revocations.map(() => ({
      phase: 'uncalled',
      ceiling: 0,
      issuedBefore: 0,
      mark: null,
      returnedAt: 0,
      server: 0,
    })),
    primary,
    former: null,
    backup: null,
    lost: [],
    kept: [],
    validators: configuration.validators.map((plan) => validatorOf(configuration, plan, primary)),
  };
}

const start: Instant = { wall: 0, monotonic: 0 };

function validatorOf({ coverage }: Configuration, { startsLater }: ValidatorPlan, primary: Database): Validator {
  return {
    isUp: !startsLater,
    side: 'primary',
    wallBehind: 0,
    monotonicBehind: 0,
    server: startsLater ? null : primary.server,
    applied: [],
    watermarks: watermarksOf(primary),
    provenAt: startsLater ? null : start,
    databaseTime: startsLater ? null : { now: 0, at: start },
    load: null,
    presenceProvenAt: startsLater ? null : start,
    committedAt: startsLater || !coverage ? null : start,
    inForce: startsLater ? null : primary.server,
    cached: 0,
    cachedAbsent: 0,
    waiting: [],
    waitingForRefresh: [],
    exchanges: [],
    release: null,
    releasedAt: 0,
  };
}
