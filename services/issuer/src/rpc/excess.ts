import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ExcessSchema } from '@touchstone/contracts';
import { type Excess, errorOf } from '@touchstone/core';

const fields: Readonly<Record<Excess['what'], string>> = {
  scope: 'scopes',
  ttl: 'ttl',
  method: 'method',
  confirmation: 'confirmation',
  consent: 'consent_id',
};

export const fromExcess = (excess: Excess): MessageInitShape<typeof ExcessSchema> => ({
  field: fields[excess.what],
  asked: excess.asked,
  allowed: excess.allowed,
  limitedBy: excess.by,
  explanation: errorOf(excess).message,
});
