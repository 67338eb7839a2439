import { isPrincipalSubject } from '../access/issue-credential.ts';
import { InvalidField } from '../errors.ts';

/**
 * A user must not be taken for a caller; nor for the app itself, where the subject of a token tells which of the two it is about
 * (RFC 9068 section 5). @throws InvalidField
 */
export function requireUserId(userId: string, appId: string): void {
  if (userId === appId || isPrincipalSubject(userId)) {
    throw new InvalidField(
      'user_id',
      'must be neither the id of the app nor begin with the kind of a caller and a colon',
    );
  }
}
