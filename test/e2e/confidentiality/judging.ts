import type { ServiceProcess } from '@touchstone/local-stack';
import { afterAll, beforeAll, expect } from 'vitest';
import { type Attacker, openAttacker } from './attacker.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { openScene, type Scene } from './scene.ts';
import { startFresh, type Verdict, verdictOf } from './validators.ts';

/** An attacker at a stack of his own, and the validators that judge what he presents. */
export interface Judging {
  readonly own: OwnStack;
  readonly attacker: Attacker;
  /** The tenant that is attacked. */
  readonly scene: Scene;
  /** Another tenant. */
  readonly abroad: Scene;
  /** The validator that has been running all along. */
  readonly running: ServiceProcess;
  /** What each validator says to everything that may be asked about a token, here and abroad. */
  verdicts(validators: readonly ServiceProcess[], token: string, where?: Scene): Promise<Verdict[]>;
  expectActive(token: string, where?: Scene): Promise<void>;
  /** Nobody honours it, whoever asks and for whatever. */
  expectRefused(validators: readonly ServiceProcess[], token: string, where?: Scene): Promise<void>;
  /** As `expectRefused`, and everybody is told this. */
  expectAnswered(why: string, validators: readonly ServiceProcess[], token: string, where?: Scene): Promise<void>;
  /** A tenant for one attack alone. */
  openScene(): Promise<Scene>;
  /** Works with the running validator and with one that starts now. */
  withFresh(work: (validators: readonly ServiceProcess[]) => Promise<void>): Promise<void>;
}

/** Call it at the top of a file; what it returns can be used in hooks and tests. */
export function judging(): Judging {
  const opened = {} as { own: OwnStack; attacker: Attacker; scene: Scene; abroad: Scene; running: ServiceProcess };
  beforeAll(async () => {
    opened.own = await openOwnStack();
    opened.attacker = await openAttacker(await opened.own.superuser());
    const { shared, stack } = opened.own;
    [opened.scene, opened.abroad] = await Promise.all([openScene(shared), openScene(shared)]);
    opened.running = stack.services.validator;
  });
  afterAll(() => opened.own?.[Symbol.asyncDispose]());

  const verdicts: Judging['verdicts'] = (validators, token, where = opened.scene) => {
    const questions = [...where.questions(token), ...opened.abroad.questions(token)];
    return Promise.all(validators.flatMap((validator) => questions.map((question) => verdictOf(validator, question))));
  };

  return Object.assign(opened, {
    verdicts,
    openScene: () => openScene(opened.own.shared),
    async expectActive(token: string, where = opened.scene) {
      const answers = await verdicts([opened.running], token, where);
      expect(answers).toContainEqual(expect.objectContaining({ active: true }));
    },
    async expectRefused(validators: readonly ServiceProcess[], token: string, where = opened.scene) {
      for (const verdict of await verdicts(validators, token, where)) expect(verdict).toMatchObject({ active: false });
    },
    async expectAnswered(why: string, validators: readonly ServiceProcess[], token: string, where = opened.scene) {
      const answers = await verdicts(validators, token, where);
      expect(new Set(answers.map((verdict) => JSON.stringify(verdict)))).toEqual(
        new Set([JSON.stringify({ active: false, why })]),
      );
    },
    async withFresh(work: (validators: readonly ServiceProcess[]) => Promise<void>) {
      const fresh = await startFresh(opened.own.stack);
      try {
        await work([opened.running, fresh]);
      } finally {
        await fresh.kill();
      }
    },
  });
}

/**
 * Attacks that stand beside each other, each on tokens of its own, and then one fresh validator to judge them all.
 * @param open makes the attacks; what each left behind, by its name.
 */
export function sideBySide<Case>(its: Judging, open: () => Promise<ReadonlyMap<string, Case>>) {
  let cases: ReadonlyMap<string, Case>;
  let fresh: ServiceProcess;
  beforeAll(async () => {
    cases = await open();
    fresh = await startFresh(its.own.stack);
    await fresh.untilReady();
  });
  afterAll(() => fresh?.kill());
  return {
    caseOf: (name: string): Case => {
      const found = cases.get(name);
      if (!found) throw new Error(`nothing was done as ${name}`);
      return found;
    },
    validators: () => [its.running, fresh],
  };
}
