import { expect, test } from 'vitest';
import { faultsWith } from './faults.ts';
import { levels } from './history.ts';
import { controls, guards, losses, patched, pauses, racing, requireFitting, showing } from './patches.ts';

const always = [...pauses, ...losses];

test('every pause and every loss fits the sources as they are', () => {
  expect(() => requireFitting(always)).not.toThrow();
});

test.each(Object.entries({ ...guards, ...controls }))(
  'what takes out "%s" fits the sources, and what is patched in every run beside it',
  (_, patches) => {
    expect(() => requireFitting([...always, ...patches])).not.toThrow();
  },
);

test('what a guard is shown by there is', () => {
  const known = Object.keys({ ...guards, ...controls });
  expect(known).toEqual(expect.arrayContaining([...Object.keys(showing), ...Object.keys(racing)]));
  expect(faultsWith(true)).toEqual(expect.arrayContaining(Object.values(showing).flat()));
  const favoured = Object.values(racing).flatMap((one) => one.favoured ?? []);
  expect([...levels, 'grant']).toEqual(expect.arrayContaining(favoured));
});

test('a patch that does not fit, or fits twice, is told', () => {
  const patch = { file: 'a.ts', find: 'x', replace: 'y' };
  expect(patched('a.ts', 'ax', [patch])).toBe('ay');
  expect(patched('b.ts', 'ax', [patch])).toBe('ax');
  for (const source of ['', 'xx']) expect(() => patched('a.ts', source, [patch])).toThrow('a.ts does not hold');
});
