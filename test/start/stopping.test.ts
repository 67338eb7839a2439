import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { npmStart, openPlace, type Place, pressCtrlC, signal } from './npm-start.ts';

let place: Place;

beforeEach(async () => {
  place = await openPlace();
});

afterEach(() => place[Symbol.asyncDispose]());

test.each([
  ['Making a Postgres cluster', 'Bringing the database up to date'],
  ['Starting Postgres', 'Starting the issuer'],
  ['Bringing the database up to date', 'Registering the demo tenant'],
  ['Starting the issuer', 'Registering the demo tenant'],
  ['Registering the demo tenant', 'is up'],
])('Ctrl-C during the start leaves nothing running: %s', async (step, notReached) => {
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
});

test.each([
  ['npm', 'npm start'],
  ['the launcher', 'scripts/run.mjs'],
  ['the stack', 'local-stack/src/main.ts'],
])('SIGKILL of %s leaves nothing running', async (_, program) => {
  await using run = npmStart(place);
  await run.untilUp();
  const killed = (await run.processes()).findLast(({ command }) => command.includes(program));
  signal(killed?.pid as number, 'SIGKILL');
  await run.untilNothingIsLeft();
});

test('a start right after SIGKILL waits for what is left to end', async () => {
  await using run = npmStart(place);
  await run.untilUp();
  const stack = (await run.processes()).findLast(({ command }) => command.includes('local-stack/src/main.ts'));
  signal(stack?.pid as number, 'SIGKILL');
  await using again = npmStart(place);
  await again.untilUp();
});

test.each([
  ['a service', 'services/validator/src/main.ts', 'the validator'],
  ['Postgres', '/postgres -D', 'Postgres'],
])('the end of %s ends all, and says where to look', async (_, program, which) => {
  await using run = npmStart(place);
  await run.untilUp();
  const killed = (await run.processes()).find(({ command }) => command.includes(program));
  signal(killed?.pid as number, 'SIGKILL');
  expect(await run.exited).toBe(1);
  const [said] = run.output().match(/Touchstone stopped: .*/) ?? [];
  expect(said).toContain(`what has ended, and why its log says: ${which}: ${place.folder}`);
  expect(said).toMatch(/\.log$/);
  await run.untilNothingIsLeft();
});

test('SIGTERM of npm ends it', async () => {
  await using run = npmStart(place);
  await run.untilUp();
  signal(run.pid, 'SIGTERM');
  await run.untilNothingIsLeft();
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
