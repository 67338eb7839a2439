import type { Claims } from '../tokens/token-method.ts';

/** The claims that are released, out of all. */
export function released(claims: Claims, names: readonly string[]): Claims {
  const out: Record<string, Claims[string]> = {};
  for (const name of names) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (value !== undefined) out[name] = value;
  }
  return out;
}
