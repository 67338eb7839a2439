import type { TenantHandles } from '../issue/ports.ts';
import type { Claims, Secrets } from '../tokens/token-method.ts';
import type { Release } from '../validate/ports.ts';
import type { ResourceServer } from './registration.ts';

type Pseudonyms = Pick<TenantHandles, 'pseudonymOf'>;

/** The claims that are released, out of all. */
export function released(claims: Claims, names: readonly string[]): Claims {
  const out: Record<string, Claims[string]> = {};
  for (const name of names) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (value !== undefined) out[name] = value;
  }
  return out;
}

/** How a resource server is told who the user is; null without one. */
export const subjectOf = (
  userId: string | null,
  { pairwiseSector }: Pick<Release, 'pairwiseSector'>,
  pseudonyms: Pseudonyms,
): string | null =>
  userId === null || pairwiseSector === null ? userId : pseudonyms.pseudonymOf(pairwiseSector, userId);

/**
 * What may stand in a token that its audience can read: what the audience is shown. Its holder can read it, too, unless it is
 * encrypted to the audience's key.
 */
export const readableBy = (
  { releasedClaims, pairwiseSector, encryptionJwk }: ResourceServer,
  secrets: Secrets,
  pseudonyms: Pseudonyms,
): Secrets => ({
  ...secrets,
  claims: released(secrets.claims, releasedClaims),
  subject: subjectOf(secrets.userId, { pairwiseSector }, pseudonyms),
  recipient: encryptionJwk,
});
