import type { Consent, ConsentAsOf, ConsentStore, ConsentsFound, NewConsent } from './consents/ports.ts';
import type { WrappedKey } from './keys/ports.ts';

/** Data for tests: a consent to app a1 that holds. */
export const consentOf = (consentId: string, tenantId: string, over: Partial<Consent> = {}): Consent => ({
  consentId,
  tenantId,
  appId: 'a1',
  userHandle: 'u1',
  grants: [{ audience: 's1', scopes: ['read'] }],
  recordedAt: 0,
  expiresAt: 1_000,
  ...over,
});

const key: WrappedKey = { dataKeyId: 'd1', wrapped: Buffer.alloc(60) };

/** Consents in memory. */
export class TestConsents implements ConsentStore {
  readonly stored: Consent[];
  readonly withdrawn = new Set<string>();
  now = 0;
  readonly #byKey = new Map<string, string>();

  constructor(stored: readonly Consent[] = []) {
    this.stored = [...stored];
  }

  async find(consentId: string): Promise<ConsentAsOf | null> {
    const consent = this.stored.find((one) => one.consentId === consentId);
    return consent ? { consent, isWithdrawn: this.withdrawn.has(consentId), now: this.now } : null;
  }

  async findWithKey(consentId: string) {
    const found = await this.find(consentId);
    return found && { ...found, key: found.isWithdrawn ? null : key };
  }

  async findByKey(tenantId: string, idempotencyKey: string): Promise<ConsentAsOf | null> {
    return this.find(this.#byKey.get(`${tenantId} ${idempotencyKey}`) ?? '');
  }

  async record({ ttl, idempotencyKey, key: _, ...consent }: NewConsent): Promise<ConsentAsOf> {
    const consentId = this.#byKey.get(`${consent.tenantId} ${idempotencyKey}`) ?? consent.consentId;
    if (consentId === consent.consentId) {
      this.#byKey.set(`${consent.tenantId} ${idempotencyKey}`, consentId);
      this.stored.push({ ...consent, recordedAt: this.now, expiresAt: this.now + ttl * 1_000 });
    }
    return (await this.find(consentId)) as ConsentAsOf;
  }

  async list(tenantId: string, userHandle: string, after: string | null, limit: number): Promise<ConsentsFound> {
    const all = this.stored.filter((one) => one.tenantId === tenantId && one.userHandle === userHandle).reverse();
    const from = after === null ? 0 : all.findIndex((one) => one.consentId === after) + 1;
    const found = await Promise.all(all.slice(from, from + limit).map(({ consentId }) => this.find(consentId)));
    const consents = found.filter((one) => one !== null);
    return { consents, next: from + limit < all.length ? (consents.at(-1)?.consent.consentId ?? null) : null };
  }
}
