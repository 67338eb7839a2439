import { drawRandom } from './random.ts';
import { encodeBase62 } from './tokens/base62.ts';

/** A new name for a revocation, a consent or an erasure: `rvk_...`. */
export const newId = (prefix: 'rvk' | 'con' | 'era'): string => `${prefix}_${encodeBase62(drawRandom(15))}`;
