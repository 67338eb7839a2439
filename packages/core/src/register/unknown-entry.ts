import { AppUnknown, AudienceUnknown, TenantUnknown } from '../errors.ts';
import type { RegisteredKind } from './registration.ts';

/** There is no such entry; or it is another tenant's, which looks the same. */
export function unknownEntry(what: RegisteredKind): Error {
  if (what === 'tenant') return new TenantUnknown();
  return what === 'app' ? new AppUnknown() : new AudienceUnknown();
}
