/** A part of a JWS or JWE in compact form. */
export const encodePart = (part: object | string | Uint8Array): string =>
  Buffer.from(typeof part === 'string' || part instanceof Uint8Array ? part : JSON.stringify(part)).toString(
    'base64url',
  );

/** What a part of a JWS or JWE in compact form says. */
export const decodePart = (part = ''): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString());
