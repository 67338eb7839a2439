import { revokeAllTable, table, whole } from '../table.ts';
import type { ScaleResults, Size } from './measured.ts';

/** Everything that was measured. */
export function showScale(
  { propagations, starts, revokedAll, disturbed, contests }: ScaleResults,
  { fewRecords, records, marks }: Size,
): void {
  const { few, many, marked } = starts;
  const tables = [
    table(
      [
        'Until every validator refuses from cache, ms',
        'validators',
        'revocations',
        'median',
        'p99',
        'longest',
        'wrong*',
      ],
      propagations.map((one) => [
        `${one.call}, by ${one.by}`,
        whole(one.validators),
        whole(one.revocations),
        one.median.toFixed(1),
        one.p99.toFixed(1),
        one.longest.toFixed(1),
        `${whole(one.wrong)} of ${whole(one.asked)}`,
      ]),
    ),
    '*: fully consistent validations, begun when the revocation had returned, that honoured the token.',
    table(
      ['A validator until it is ready, ms', 'starts', 'median', 'longest'],
      Object.entries({
        [`${whole(fewRecords)} records`]: few,
        [`${whole(records)} records`]: many,
        [`${whole(marks)} users revoked`]: marked,
      }).map(([name, one]) => [name, whole(one.starts), one.median.toFixed(0), one.longest.toFixed(0)]),
    ),
    revokeAllTable(revokedAll.flatMap((round) => [round.few, round.many])),
    table(
      [
        'ValidateToken at 70% of saturation, p99 in ms',
        'quiet',
        'with one each second',
        'times as slow',
        'revocations',
      ],
      disturbed.map((one) => [
        one.by,
        one.quietP99.toFixed(2),
        one.p99.toFixed(2),
        one.ratio.toFixed(2),
        whole(one.revocations),
      ]),
    ),
    table(
      ['', 'tokens of', 'calls/s', 'p99 ms', 'times as slow', 'CPU us a call: server', 'Postgres', 'ghz'],
      contests.map((one) => [
        one.call,
        one.crowd,
        whole(one.callsPerSecond),
        one.p99.toFixed(2),
        one.slower.toFixed(2),
        whole(one.cpu.server),
        whole(one.cpu.postgres),
        whole(one.cpu.ghz),
      ]),
    ),
    'calls/s, p99: at saturation, each caller on a connection of its own; medians of rounds by turns.',
  ];
  console.log(`${tables.join('\n\n')}\n`);
}
