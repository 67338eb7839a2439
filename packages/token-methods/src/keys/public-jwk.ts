import type { JWK } from 'jose';

/** What a key that is not public has (RFC 7518 section 6, RFC 8037 section 2). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

export const isPublic = (jwk: JWK): boolean => !privateMembers.some((member) => member in jwk);
