import { InvalidField } from '@touchstone/core';
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

test('errors of ours say what they are; codes of drivers are told', () => {
  expect(describeFault(new InvalidField('token', 'must be one'))).toMatchObject({ message: 'token must be one' });
  expect(describeFault(Object.assign(new Error('x'), { code: '23505' }))).toMatchObject({ code: '23505' });
});
