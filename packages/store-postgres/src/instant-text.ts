/** A timestamptz, of milliseconds since 1970, for what is sent as JSON: with a Date in it that takes five times as long. */
export const instantText = (milliseconds: number): string => new Date(milliseconds).toISOString();
