import { drawRandom } from '../random.ts';
import { encodeBase62 } from '../tokens/base62.ts';

/** A new name for a revocation: `rvk_...`. */
export const newRevocationId = (): string => `rvk_${encodeBase62(drawRandom(15))}`;
