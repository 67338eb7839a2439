import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { npmStart, openPlace, type Place, pressCtrlC, type Run, signal } from './npm-start.ts';

let place: Place;

beforeEach(async () => {
  place = await openPlace();
});

afterEach(() => place[Symbol.asyncDispose]());

/** How a run that is up ends. */
type Ending = (run: Run) => Promise<void>;

const kill = async (run: Run, program: string): Promise<void> => {
  const killed = (await run.processes()).findLast(({ command }) => command.includes(program));
  signal(killed?.pid as number, 'SIGKILL');
};

const killOf =
  (program: string): Ending =>
  async (run) => {
    await kill(run, program);
    await run.untilNothingIsLeft();
  };

/** It ends all, and says where to look. */
const endOf =
  (program: string, which: string): Ending =>
  async (run) => {
    await kill(run, program);
    expect(await run.exited).toBe(1);
    const [said] = run.output().match(/Touchstone stopped: .*/) ?? [];
    expect(said).toContain(`what has ended, and why its log says: ${which}: ${place.folder}`);
    expect(said).toMatch(/\.log$/);
    await run.untilNothingIsLeft();
  };

test.each([
  {
    step: 'Making a Postgres cluster',
    notReached: 'Bringing the database up to date',
    ending: 'SIGKILL of npm',
    end: killOf('npm start'),
  },
  {
    step: 'Starting Postgres',
    notReached: 'Starting the issuer',
    ending: 'SIGKILL of the launcher',
    end: killOf('scripts/run.mjs'),
  },
  {
    step: 'Bringing the database up to date',
    notReached: 'Registering the demo tenant',
    ending: 'SIGKILL of the stack',
    end: killOf('local-stack/src/main.ts'),
  },
  {
    step: 'Starting the issuer',
    notReached: 'Registering the demo tenant',
    ending: 'the end of a service',
    end: endOf('services/validator/src/main.ts', 'the validator'),
  },
  {
    step: 'Registering the demo tenant',
    notReached: 'is up',
    ending: 'the end of Postgres',
    end: endOf('/postgres -D', 'Postgres'),
  },
])(
  'Ctrl-C during the start leaves nothing running: $step; nor does $ending, once it was started again',
  async ({ step, notReached, end }) => {
    await using run = npmStart(place);
    await run.untilSaid(step);
    pressCtrlC(run);
    const asked = performance.now();
    await run.exited;
    await run.untilNothingIsLeft();
    expect(performance.now() - asked).toBeLessThan(20_000);
    expect(run.output()).not.toContain(notReached);
    await using again = npmStart(place);
    await again.untilUp();
    await end(again);
  },
);

test('a start right after SIGKILL waits for what is left to end, and SIGTERM of npm ends it', async () => {
  await using run = npmStart(place);
  await run.untilUp();
  await kill(run, 'local-stack/src/main.ts');
  await using again = npmStart(place);
  await again.untilUp();
  signal(again.pid, 'SIGTERM');
  await again.untilNothingIsLeft();
});

test.each(['ISSUER_GRPC_PORT', 'VALIDATOR_HTTP_PORT', 'POSTGRES_PORT'])(
  'a taken port is one line that names it and the variable that chooses another: %s',
  async (variable) => {
    const port = place.ports[variable] as number;
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    await using run = npmStart(place);
    expect(await run.exited).toBe(1);
    other.close();
    const lines = run.output().split('\n');
    expect(lines.filter((line) => line.includes('did not start'))).toEqual([
      `Touchstone did not start: port ${port} on 127.0.0.1 is taken: free it or choose another one with ${variable}`,
    ]);
    await run.untilNothingIsLeft();
  },
);

test('a port that is none is one line that names the variable', async () => {
  await using run = npmStart({ ...place, ports: { ...place.ports, POSTGRES_PORT: 70_000 } });
  expect(await run.exited).toBe(1);
  expect(run.output()).toContain('POSTGRES_PORT: ');
});
