import type { Act } from '../access/act.ts';
import { homeOf } from '../access/home.ts';
import { type AuditAct, actorOf } from '../audit/audit-event.ts';
import { type ErrorCode, TouchstoneError } from '../errors.ts';
import type { AuditWriter } from './ports.ts';

/** What was asked for, as far as it was understood. */
export type Asked = Omit<Extract<AuditAct, { type: 'issue_refused' }>, 'type' | 'reason'>;

/** Failures of ours are no refusals, and of callers that nobody knows there is no trail. */
const notRefusals = new Set<ErrorCode>([
  'caller_unknown',
  'store_unavailable',
  'overloaded',
  'deadline_exceeded',
  'cancelled',
  'internal',
  'fenced',
]);

/** Whether the caller was refused, and nothing failed. */
export const isRefusal = (error: unknown): error is TouchstoneError =>
  error instanceof TouchstoneError && !notRefusals.has(error.code);

/**
 * Records that a token or a credential was refused, on the trail of the caller's own tenant, whatever tenant it named.
 * @throws StoreUnavailable, Overloaded
 */
export async function recordRefusal(act: Act, asked: Asked, error: unknown, audit: AuditWriter): Promise<void> {
  if (!isRefusal(error)) return;
  await audit.record({
    tenantId: homeOf(act.caller),
    actor: actorOf(act),
    act: { type: 'issue_refused', ...asked, reason: error.code },
  });
}
