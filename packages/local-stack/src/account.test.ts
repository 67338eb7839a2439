import { expect, test } from 'vitest';
import { mayEnter } from './account.ts';

const folder = (mode: number) => ({ uid: 1, gid: 10, mode });

test.each([
  ['its owner', { uid: 1, gid: 99 }, 0o700, true],
  ['its owner, shut out though others are not', { uid: 1, gid: 99 }, 0o077, false],
  ['its group', { uid: 2, gid: 10 }, 0o710, true],
  ['its group, shut out though others are not', { uid: 2, gid: 10 }, 0o701, false],
  ['others', { uid: 2, gid: 20 }, 0o711, true],
  ['others, shut out', { uid: 2, gid: 20 }, 0o700, false],
] as const)('a folder lets through %s', (_who, account, mode, may) => {
  expect(mayEnter(folder(mode), account)).toBe(may);
});
