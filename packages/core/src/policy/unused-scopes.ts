import type { Act } from '../access/act.ts';
import { requireOperator } from '../access/rights.ts';
import type { Registry } from '../register/ports.ts';

/** A scope that an app may ask for at a resource server. */
export interface GrantedScope {
  readonly appId: string;
  readonly audience: string;
  readonly scope: string;
}

export interface UnusedScope extends GrantedScope {
  /** About when a token was honoured for it last, milliseconds since 1970; null: never, as far as is known. */
  readonly lastUsedAt: number | null;
}

/** Tells when scopes, consents and tokens were used last. */
export interface UseReader {
  /** Those that have been used, of these apps. @throws StoreUnavailable */
  scopesUsed(appIds: readonly string[]): Promise<readonly (GrantedScope & { readonly lastUsedAt: number })[]>;
  /** Of those that have been used: milliseconds since 1970. @throws StoreUnavailable */
  consentsUsed(consentIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /**
   * Milliseconds since 1970; null: it was not noted.
   * @param key of the token's record.
   * @throws StoreUnavailable
   */
  tokenUsed(key: string): Promise<number | null>;
}

export interface UnusedScopesCommand {
  readonly tenantId: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** How many apps are looked at. */
  readonly pageSize: number;
  /** The last app of the page before; empty: from the beginning. */
  readonly after: string;
}

/**
 * What apps were granted and have not used since then.
 * @throws CallerNotAllowed, StoreUnavailable
 */
export async function listUnusedScopes(
  { caller }: Act,
  { tenantId, since, pageSize, after }: UnusedScopesCommand,
  { registry, uses }: { readonly registry: Registry; readonly uses: UseReader },
): Promise<{ readonly unused: readonly UnusedScope[]; readonly next: string | null }> {
  requireOperator(caller, 'registry:read', tenantId);
  const { entries, next } = await registry.list('app', [tenantId], after, pageSize);
  const apps = entries.filter(({ disabled }) => !disabled).map(({ entry }) => entry);
  const used = new Map(
    (await uses.scopesUsed(apps.map(({ appId }) => appId))).map((use) => [keyOf(use), use.lastUsedAt]),
  );
  const unused = apps.flatMap(({ appId, grants }) =>
    grants.flatMap(({ audience, scopes }) =>
      scopes
        .map((scope) => ({ appId, audience, scope }))
        .map((granted): UnusedScope => ({ ...granted, lastUsedAt: used.get(keyOf(granted)) ?? null }))
        .filter(({ lastUsedAt }) => lastUsedAt === null || lastUsedAt < since),
    ),
  );
  return { unused, next };
}

const keyOf = ({ appId, audience, scope }: GrantedScope): string => JSON.stringify([appId, audience, scope]);
