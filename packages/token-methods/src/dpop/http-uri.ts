const unreserved = /^[A-Za-z0-9._~-]$/;

/**
 * The URI of an HTTP request as DPoP compares it (RFC 9449 section 4.3): without query and fragment, normalised by syntax and
 * by scheme (RFC 3986 sections 6.2.2 and 6.2.3). Null where it is none.
 */
export function normalisedUri(text: string): string | null {
  // What the parser would repair is not what was sent.
  if (!/^https?:\/\/(?!\/)[^\s\\\p{Cc}]+$/iu.test(text)) return null;
  const url = URL.parse(text);
  if (url?.username !== '' || url.password !== '') return null;
  return url.origin + url.pathname.replace(/%[0-9A-Fa-f]{2}/g, normalisedOctet);
}

function normalisedOctet(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
  return unreserved.test(character) ? character : encoded.toUpperCase();
}
