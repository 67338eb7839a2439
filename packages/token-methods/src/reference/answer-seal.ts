import { createHmac } from 'node:crypto';
import type { AnswerSeal, Located } from '@touchstone/core';
import { unwrapKey, wrapKey } from '../keys/wrap.ts';

const context = 'answer';

/** Under a key that only the refresh token's string and a key of the service give together. */
const keyOf = ({ material }: Located): Buffer =>
  createHmac('sha256', material as Buffer)
    .update('touchstone refresh answer v1')
    .digest();

/** Seals answers for whoever has the REFERENCE token that they were given for. */
export const answerSeal: AnswerSeal = {
  seal: (located, answer) => wrapKey(keyOf(located), Buffer.from(answer), context),
  open: (located, sealed) => unwrapKey(keyOf(located), sealed, context)?.toString() ?? null,
};
