/** What the holder of a token must prove to have: a certificate or a key, by its SHA-256 in base64url. */
export type Confirmation = { readonly certificate: string } | { readonly key: string };

export type ConfirmationKind = 'certificate' | 'key';

export const confirmationKind = (confirmation: Confirmation): ConfirmationKind =>
  'key' in confirmation ? 'key' : 'certificate';

/**
 * The `cnf` claim (RFC 7800) as the record keeps it: `x5t#S256` (RFC 8705) or `jkt` (RFC 9449). The same text for the same
 * confirmation and for no other, so that comparing texts compares what they say.
 */
export const confirmationText = (confirmation: Confirmation): string =>
  JSON.stringify('key' in confirmation ? { jkt: confirmation.key } : { 'x5t#S256': confirmation.certificate });

/** What the text says. */
export function confirmationOf(text: string): Confirmation {
  const { jkt, 'x5t#S256': certificate } = JSON.parse(text);
  return jkt === undefined ? { certificate } : { key: jkt };
}
