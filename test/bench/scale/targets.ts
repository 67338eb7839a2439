import { median } from '../measure.ts';
import { atMost, type Verdict } from '../targets.ts';
import type { ScaleResults } from './measured.ts';

/** What this is to reach, and what it did. */
export function judgeScale({ propagations, starts, revokedAll, disturbed, contests }: ScaleResults): Verdict[] {
  const growth = median(revokedAll.map(({ few, many }) => many.median / few.median));
  const ofAlive = revokedAll[0]?.many ?? { first: Number.NaN, p99: Number.NaN };
  const wrong = propagations.reduce((sum, one) => sum + one.wrong, 0);
  return [
    ...propagations.map(({ call, by, p99 }) => atMost(`${call} by ${by} until all refuse, p99, ms`, p99, 250)),
    atMost('fully consistent answers after it that were wrong', wrong, 0),
    atMost('RevokeTokens(all), many records / few, median', growth, 1.5),
    atMost('RevokeTokens(all) that finds all alive / p99 of those that find none', ofAlive.first / ofAlive.p99, 1.5),
    ...disturbed.map(({ by, ratio }) => atMost(`ValidateToken's p99, ${by} each second / quiet`, ratio, 2)),
    ...contests
      .filter(({ crowd }) => crowd !== contests[0]?.crowd)
      .map(({ call, crowd, slower }) => atMost(`${call} of ${crowd}, times as slow`, slower, 1.5)),
    atMost('start of a validator, many records / few, median', starts.many.median / starts.few.median, 1.2),
  ];
}
