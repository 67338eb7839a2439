// How strings of tokens are written, for whoever holds one: nothing of it needs a key, and nothing else of the core is needed.
export * from './base62.ts';
export * from './caveats.ts';
export * from './macaroon.ts';
export * from './opaque-string.ts';

/** What RPCs take; longer ones would not fit into the headers that they travel in either. */
export const tokenCharactersMax = 8_192;
