import { expect, test } from 'vitest';
import { guards, patched, pauses, requireFitting } from './patches.ts';

test('every pause fits the sources as they are', () => {
  expect(() => requireFitting(pauses)).not.toThrow();
});

test.each(Object.entries(guards))('what takes out "%s" fits the sources, and the pauses beside it', (_, patches) => {
  expect(() => requireFitting([...pauses, ...patches])).not.toThrow();
});

test('a patch that does not fit, or fits twice, is told', () => {
  const patch = { file: 'a.ts', find: 'x', replace: 'y' };
  expect(patched('a.ts', 'ax', [patch])).toBe('ay');
  expect(patched('b.ts', 'ax', [patch])).toBe('ax');
  for (const source of ['', 'xx']) expect(() => patched('a.ts', source, [patch])).toThrow('a.ts does not hold');
});
