import type { Act } from '../access/act.ts';
import type { ClientKind } from '../access/client-name.ts';
import { checkScopes } from '../access/issue-credential.ts';
import { requireScope } from '../access/rights.ts';
import { CredentialNotAllowed, InvalidField } from '../errors.ts';
import type { CallerKeys } from '../keys/ports.ts';
import type { CallerIdentity, Registered } from './registration.ts';

/** The identities of one caller. */
interface Identified {
  readonly kind: ClientKind;
  /** Empty where it is the entry itself. */
  readonly name: string;
  readonly identities: readonly CallerIdentity[];
}

/** Who shows who it is by what the entry says. */
function identifiedIn({ what, entry }: Registered): Identified[] {
  if (what !== 'tenant') return [{ kind: what, name: '', identities: entry.identities ?? [] }];
  return (entry.identityServices ?? []).map((service) => ({ kind: 'identity_service', ...service }));
}

/** One text for each identity: the same for two that are the same caller's, shown by the same, for the same. */
const textsOf = (registered: Registered): Set<string> =>
  new Set(
    identifiedIn(registered).flatMap(({ name, identities }) => identities.map((one) => JSON.stringify([name, one]))),
  );

/**
 * Whether the caller may give these identities to the entry. They are as good as credentials: to change any takes the right to
 * make those, and what would be handed on.
 * @param before the entry as it is; null: there is none yet.
 * @throws CallerNotAllowed, CredentialNotAllowed, InvalidField
 */
export async function checkIdentities(
  { caller }: Act,
  registered: Registered,
  before: Registered | null,
  keys: CallerKeys,
): Promise<void> {
  const [had, has] = [before ? textsOf(before) : new Set<string>(), textsOf(registered)];
  if (had.symmetricDifference(has).size > 0) requireScope(caller, 'credentials:issue');
  const field = fields[registered.what];
  const callers = identifiedIn(registered);
  requireDistinct(
    field,
    'name',
    callers.map(({ name }) => name),
  );
  for (const { kind, name, identities } of callers) {
    requireDistinct(field, 'key or certificate', await Promise.all(identities.map((one) => shownBy(field, one, keys))));
    for (const one of identities) {
      checkScopes(kind, one.scopes, field);
      const isHandedOn = one.scopes.includes('tokens:explain') && !had.has(JSON.stringify([name, one]));
      if (isHandedOn && !caller.scopes.includes('tokens:explain')) {
        throw new CredentialNotAllowed('it may not have scopes that its maker lacks', { field });
      }
    }
  }
}

const fields = {
  tenant: 'tenant.identity_services',
  app: 'app.identities',
  resource_server: 'resource_server.identities',
} as const;

function requireDistinct(field: string, what: string, texts: readonly string[]): void {
  if (new Set(texts).size < texts.length) throw new InvalidField(field, `must each have a ${what} of its own`);
}

/** What tells an identity from the others of its caller. */
async function shownBy(field: string, identity: CallerIdentity, keys: CallerKeys): Promise<string> {
  if ('certificate' in identity) return identity.certificate;
  if ('spiffeId' in identity) return identity.spiffeId;
  const keyId = await keys.keyIdOf(identity.jwk);
  if (keyId === null) {
    throw new InvalidField(
      field,
      'must have public keys as JWKs with a kid: Ed25519, P-256, or RSA of 2048 bits or more',
    );
  }
  return `kid ${keyId}`;
}
