let last = { milliseconds: 0, text: '1970-01-01T00:00:00.000Z' };

/**
 * A timestamptz, of milliseconds since 1970, for what is sent as JSON: with a Date in it that takes five times as long. Of
 * what is written together most has one time.
 */
export function instantText(milliseconds: number): string {
  if (milliseconds !== last.milliseconds) last = { milliseconds, text: new Date(milliseconds).toISOString() };
  return last.text;
}

/** The SQL of an instant, or of how long something lasts, in milliseconds: an instant since 1970. */
export const millisecondsOf = (expression: string): string => `(extract(epoch from ${expression}) * 1000)::bigint`;
