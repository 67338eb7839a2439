import type { MessageShape } from '@bufbuild/protobuf';
import type { ConfirmationSchema } from '@touchstone/contracts';
import type { Confirmation } from '@touchstone/core';

export function toConfirmation(message: MessageShape<typeof ConfirmationSchema> | undefined): Confirmation | null {
  const { method } = message ?? {};
  switch (method?.case) {
    case 'certificateSha256':
      return { certificate: method.value };
    case 'keySha256':
      return { key: method.value };
    default:
      return null;
  }
}
