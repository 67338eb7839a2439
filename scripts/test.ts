/**
 * `npm test`: everything that can be checked, and at the end what failed and how much passed. One project after the
 * other, so that servers under test need not share the machine with one another; arguments go to vitest.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);
// What is asked for may be in one project alone.
const chosen = args.length > 0 ? [...args, '--passWithNoTests'] : [];
const projects = ['unit', 'repository', 'system', 'confidentiality', 'faults', 'torture'];

interface Outcome {
  readonly passed: number;
  readonly skipped: number;
  /** Each by its name, and why. */
  readonly failures: readonly string[];
}

function run(project: string, folder: string): Outcome {
  const report = join(folder, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile=${report}`];
  const { status } = spawnSync('vitest', ['run', `--project=${project}`, ...reporters, ...chosen], {
    cwd: root,
    stdio: 'inherit',
  });
  const outcome = outcomeOf(report);
  // A file that can't be loaded, or an error outside of any test, is a failure that no test shows.
  return status !== 0 && outcome.failures.length === 0
    ? { ...outcome, failures: [`${project}: outside of any test (see above)`] }
    : outcome;
}

function outcomeOf(report: string): Outcome {
  try {
    const { numPassedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    return { passed: numPassedTests, skipped: numPendingTests, failures: testResults.flatMap(failuresIn) };
  } catch {
    return { passed: 0, skipped: 0, failures: [] };
  }
}

interface FileReport {
  readonly name: string;
  readonly assertionResults: readonly {
    readonly status: string;
    readonly fullName: string;
    readonly failureMessages: readonly string[];
  }[];
}

const failuresIn = ({ name, assertionResults }: FileReport): string[] =>
  assertionResults
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages }) => `${relative(root, name)}: ${fullName}\n${failureMessages.join('\n')}`);

const folder = mkdtempSync(join(tmpdir(), 'touchstone-test-'));
const outcomes = projects.map((project) => run(project, folder));
rmSync(folder, { recursive: true });

const failures = outcomes.flatMap((outcome) => outcome.failures);
const sum = (of: 'passed' | 'skipped'): number => outcomes.reduce((total, outcome) => total + outcome[of], 0);
for (const failure of failures) console.log(`\nFAILED ${failure}`);
if (sum('skipped') > 0) console.log(`${sum('skipped')} skipped`);
console.log(`${sum('passed')} passed, ${failures.length} failed`);
process.exitCode = failures.length > 0 ? 1 : 0;
