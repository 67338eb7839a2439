import { AsyncLocalStorage } from 'node:async_hooks';
import type { DescMethod, MessageInitShape } from '@bufbuild/protobuf';
import { StatusSchema } from '@touchstone/contracts';
import type { TouchstoneError } from '@touchstone/core';
import { failureOf } from './status-table.ts';

/** Hears of an error that an item is answered with, and says what of it is told. */
type ItemFailed = (error: unknown) => TouchstoneError;

const currentCall = new AsyncLocalStorage<ItemFailed>();

/** Does work whose items can fail by themselves. */
export const withItemErrors = <Result>(itemFailed: ItemFailed, work: () => Result): Result =>
  currentCall.run(itemFailed, work);

/** Whether the method's response has errors of items in it. */
export const hasItemErrors = ({ output }: DescMethod): boolean =>
  output.fields.some(({ message }) =>
    message?.fields.some(({ message: inner }) => inner?.typeName === StatusSchema.typeName),
  );

/** An error as a result inside a batch. */
export const toStatus = (error: unknown): MessageInitShape<typeof StatusSchema> => {
  const { code, reason, message, metadata } = failureOf(currentCall.getStore()?.(error) ?? error);
  return { code, reason, message, metadata: { ...metadata } };
};
