import type { RegisteredKind } from '../register/registration.ts';
import type { CallerKind } from './act.ts';

/** The kinds of callers that can show who they are without a credential. */
export type ClientKind = Extract<CallerKind, 'app' | 'resource_server' | 'identity_service'>;

/** A caller by its name, and the entry that says how it shows who it is. */
export interface ClientName {
  /** The name as it was given: no other name is for the same caller. */
  readonly text: string;
  readonly kind: ClientKind;
  /** Its name within its kind. */
  readonly name: string;
  readonly what: RegisteredKind;
  readonly id: string;
}

/** Reads `app:<app id>`, `resource_server:<audience>` or `identity_service:<tenant id>/<name>`; null where it is none of them. */
export function clientNamed(text: string): ClientName | null {
  const [, kind, rest = ''] = /^(app|resource_server|identity_service):([!-~]{1,256})$/.exec(text) ?? [];
  if (kind === 'app' || kind === 'resource_server') return { text, kind, name: rest, what: kind, id: rest };
  const [, id, name] = /^([^/]+)\/([^/]+)$/.exec(rest) ?? [];
  return id !== undefined && name !== undefined ? { text, kind: 'identity_service', name, what: 'tenant', id } : null;
}
