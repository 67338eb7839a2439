import { InvalidField, StoreUnavailable } from '@touchstone/core';
import { expect, test } from 'vitest';
import { describeFault } from './fault.ts';

const frame = expect.stringContaining('fault.test.ts');

test.each<[string, unknown]>([
  ['a message', new Error('hunter2')],
  ['a message of many lines', new TypeError('a\n    at hunter2 (file:///hunter2:1:1)\nhunter2')],
  ['properties', Object.assign(new Error('x'), { detail: 'hunter2', code: 'hunter2 is no code' })],
  ['a cause', new Error('x', { cause: new Error('hunter2') })],
  ['errors', new AggregateError([new Error('hunter2')], 'hunter2')],
])('what is logged of an error does not hold its %s', (_what, error) => {
  const described = describeFault(error);
  expect(JSON.stringify(described)).not.toContain('hunter2');
  expect(described).toMatchObject({ class: (error as Error).constructor.name, stack: expect.arrayContaining([frame]) });
});

test.each<[unknown]>([['hunter2'], [{ message: 'hunter2' }], [null]])(
  'what is no error is not quoted: %j',
  (thrown) => {
    expect(JSON.stringify(describeFault(thrown))).not.toContain('hunter2');
  },
);

test('a message that was changed after it was thrown is not told through the stack', () => {
  const error = new Error('hunter2');
  expect(error.stack).toContain('hunter2');
  error.message = 'x';
  expect(describeFault(error)).toMatchObject({ stack: [] });
});

class KeyEncryptionFailed extends Error {
  override readonly name = 'KeyEncryptionFailed';
}

test('a key encryption that failed says what to check, and what only looks like it says nothing', () => {
  const told = describeFault(new KeyEncryptionFailed('enable the key', { cause: new Error('hunter2') }));
  expect(told).toMatchObject({ class: 'KeyEncryptionFailed', message: 'enable the key' });
  expect(JSON.stringify(told)).not.toContain('hunter2');
  for (const alike of [
    Object.assign(new Error('hunter2'), { name: 'KeyEncryptionFailed' }),
    new (class extends KeyEncryptionFailed {})('hunter2'),
  ]) {
    expect(JSON.stringify(describeFault(alike))).not.toContain('hunter2');
  }
});

test('errors of ours say what they are; codes of drivers are told', () => {
  expect(describeFault(new InvalidField('token', 'must be one'))).toMatchObject({ message: 'token must be one' });
  expect(describeFault(Object.assign(new Error('x'), { code: '23505' }))).toMatchObject({ code: '23505' });
});

test('what lies behind an error is told as well, and quotes nobody either', () => {
  const behind = Object.assign(new Error('hunter2'), { code: '28P01' });
  const refused = Object.assign(new Error('statement refused: 28P01', { cause: behind }), { sqlState: '28P01' });
  const described = describeFault(new StoreUnavailable(refused));
  expect(described).toMatchObject({ class: 'StoreUnavailable', cause: { cause: { class: 'Error', code: '28P01' } } });
  expect(JSON.stringify(described)).not.toContain('hunter2');
});
