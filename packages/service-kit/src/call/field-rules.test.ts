import { create } from '@bufbuild/protobuf';
import { AppSchema, HostingType } from '@touchstone/contracts';
import { expect, test } from 'vitest';
import { validateMessage } from './field-rules.ts';

test.each([
  [
    'what is left out of an enum',
    { appId: 'shop', tenantId: 't1', hostingType: HostingType.ON_PREMISES },
    'client_type must be named',
  ],
  ['a text of another form', { appId: 'Shop' }, 'app_id does not match regex pattern `^[a-z][a-z0-9-]{0,62}$`'],
])('%s is told with its field and what would be right', (_what, fields, message) => {
  expect(validateMessage(AppSchema, create(AppSchema, fields))?.message).toBe(message);
});
