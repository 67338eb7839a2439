/** The first user's at the first app. */
export const tokensOfUserAtApp = [
  'the token',
  'token like it',
  'token of its user for a batch',
  'token of its user for another API',
  'token exchanged for it, for another API',
  'token with a refresh token',
  'renewed token',
  'refresh token',
  'token under a consent',
  'token under the key of that consent',
  'token exchanged for the one under that consent',
  'token under another consent',
  'encrypted token',
  'signed token',
  'token exchanged for the signed token, for another API',
  'split token',
  'token signed by the key before',
  'token that can be narrowed',
  'narrowed copy of that token',
] as const;
export const tokensOfTenant = [
  ...tokensOfUserAtApp,
  'token of its user at another app',
  'token of another user',
  'token of another user at another app',
  'token of the app without a user',
  'token of another app without a user',
] as const;
export const tokensElsewhere = [
  'token of a user of that name in another tenant',
  'token of an app without a user in another tenant',
] as const;
/** The credentials that are at home in the tenant. */
export const credentialsOfTenant = [
  'credential of the identity service',
  'credential of another identity service',
  'credential of the app',
  'credential of another app',
  'credential of the API',
  'credential of another API',
  'credential of an auditor',
  'credential of an operator',
] as const;
export const credentialsElsewhere = [
  'credential of an operator in both tenants',
  'credential of an identity service in another tenant',
  'credential of an app in another tenant',
  'credential of an operator in another tenant',
] as const;

/** Whatever a caller may hold: what the token has, who has it, where. */
export const kinds = [
  ...tokensOfTenant,
  ...tokensElsewhere,
  ...credentialsOfTenant,
  ...credentialsElsewhere,
  'credential of the acting operator',
] as const;
export type Kind = (typeof kinds)[number];
