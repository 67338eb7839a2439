import { decodeBase62, encodeBase62 } from './base62.ts';

const millisecondsPerDay = 86_400_000;

/** Where a token's record is: its partition and its key in it. */
export interface TokenKey {
  /** The day, counted from 1970 in UTC, on which the token expires. */
  readonly partition: number;
  /** 16 bytes as 32 hexadecimal digits. */
  readonly key: string;
}

/** The partition of a token that expires then (milliseconds since 1970). */
export const partitionOf = (expiresAt: number): number => Math.floor(expiresAt / millisecondsPerDay);

/** When the last token of a partition has expired (milliseconds since 1970). */
export const partitionEnd = (partition: number): number => (partition + 1) * millisecondsPerDay;

/** The text that names a token in logs, on the audit trail and to RevokeToken: `tok_...`. It says nothing of the token. */
export function tokenIdOf({ partition, key }: TokenKey): string {
  const bytes = Buffer.allocUnsafe(18);
  bytes.writeUInt16BE(partition);
  bytes.write(key, 2, 'hex');
  return `tok_${encodeBase62(bytes)}`;
}

/** What `tokenIdOf` made, or null. */
export function parseTokenId(text: string): TokenKey | null {
  const bytes = text.length === 30 && text.startsWith('tok_') ? decodeBase62(text.slice(4)) : null;
  return bytes && { partition: bytes.readUInt16BE(), key: bytes.toString('hex', 2) };
}
