import type { Compared } from './compare.ts';
import type { RevokedAll } from './revoke-all.ts';
import type { Verdict } from './targets.ts';

/** A table of texts with its columns lined up: the first to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ');
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

const loadHead = [
  '',
  'calls/s',
  'tokens/s',
  'null/s',
  'calls/null',
  'p50 ms',
  'p99 ms',
  'null p99',
  'p99/null',
  'CPU us a call: server',
  'Postgres',
  'ghz',
];

const carriedMin = 0.95;

/** The loads: throughput at saturation, latency at 70% of it. */
export const loadTable = (rows: readonly Compared[]): string =>
  table(
    loadHead,
    rows.map((row) => [
      row.name,
      whole(row.callsPerSecond),
      whole(row.tokensPerSecond),
      whole(row.nullCallsPerSecond),
      row.ratio.toFixed(row.ratio < 0.1 ? 3 : 2),
      row.p50.toFixed(2),
      row.p99.toFixed(2) + (row.carried < carriedMin ? '!' : ''),
      row.nullP99.toFixed(2),
      row.p99Ratio.toFixed(2),
      whole(row.cpu.server),
      whole(row.cpu.postgres),
      whole(row.cpu.ghz),
    ]),
  );

/** What revoking everything costs. */
export const revokeAllTable = (rows: readonly RevokedAll[]): string =>
  table(
    ['RevokeTokens(all)', 'calls', 'first ms', 'median ms', 'p99 ms'],
    rows.map(({ records, calls, first, median, p99 }) => [
      `${whole(records)} records`,
      whole(calls),
      first.toFixed(2),
      median.toFixed(2),
      p99.toFixed(2),
    ]),
  );

/** What was to be reached. */
export const verdictTable = (verdicts: readonly Verdict[]): string =>
  table(
    ['target', 'measured', 'met'],
    verdicts.map(({ target, measured, isMet }) => [target, measured, isMet ? 'yes' : 'NO']),
  );

export const whole = (number: number): string => Math.round(number).toLocaleString('en');
