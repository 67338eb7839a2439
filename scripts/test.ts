/**
 * `npm test`: everything that can be checked, and at the end how much of it passed. One project after the other, so that
 * servers under test need not share the machine with one another; arguments go to vitest.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);
// What is asked for may be in one project alone.
const chosen = args.length > 0 ? [...args, '--passWithNoTests'] : [];
const projects = ['unit', 'repository', 'system', 'faults', 'torture'];

interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

function run(project: string, folder: string): Count {
  const report = join(folder, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile=${report}`];
  const { status } = spawnSync('vitest', ['run', `--project=${project}`, ...reporters, ...chosen], {
    cwd: root,
    stdio: 'inherit',
  });
  const count = countOf(report);
  // A file that can't be loaded, or an error outside of any test, is a failure that no test shows.
  return status !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

function countOf(report: string): Count {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'));
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

const folder = mkdtempSync(join(tmpdir(), 'touchstone-test-'));
const counts = projects.map((project) => run(project, folder));
rmSync(folder, { recursive: true });

const sum = (of: keyof Count): number => counts.reduce((total, count) => total + count[of], 0);
if (sum('skipped') > 0) console.log(`${sum('skipped')} skipped`);
console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
process.exitCode = sum('failed') > 0 ? 1 : 0;
