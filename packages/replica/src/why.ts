import { StoreUnavailable } from '@touchstone/core';
import { isNotSetUp } from '@touchstone/store-postgres';

/** Why the database can't be used. Messages of the driver hold addresses and logins: its code tells enough. */
export function whyOf(error: unknown): string {
  if (error instanceof StoreUnavailable && error.cause) return whyOf(error.cause);
  if (!(error instanceof Error)) return 'it does not answer';
  if (isNotSetUp(error)) return 'it is not migrated, or the login has not been granted its role';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.message || 'it does not answer';
}
