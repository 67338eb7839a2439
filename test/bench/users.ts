/** The names of the claims that the demo tenant's resource server is shown. */
export const releasedClaims = ['name', 'email', 'locale'] as const;

/** The user ids of the bench. */
export const userIdOf = (user: number): string => `user-${user}`;

/** What a token tells of its user: the three claims that are released, and one that is not. */
export const claimsOf = (user: number) => ({
  name: `Ada Lovelace the ${user}th`,
  email: `ada.${user}@example.com`,
  locale: 'en-GB',
  birthdate: '1815-12-10',
});
