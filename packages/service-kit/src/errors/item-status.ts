import type { MessageInitShape } from '@bufbuild/protobuf';
import type { StatusSchema } from '@touchstone/contracts';
import type { TouchstoneError } from '@touchstone/core';
import { failureOf } from './status-table.ts';

/** An error as the result of an item of a batch. */
export type ItemStatus = MessageInitShape<typeof StatusSchema>;

export function itemStatusOf(error: TouchstoneError): ItemStatus {
  const { code, reason, message, metadata } = failureOf(error);
  return { code, reason, message, metadata: { ...metadata } };
}
