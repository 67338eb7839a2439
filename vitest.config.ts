import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Of what starts servers that nobody shares, and mostly waits: two on two cores, where there would be one. */
const maxWorkers = Math.max(2, availableParallelism() - 1);
/** It does nothing for a minute: beside others. */
const upkeep = 'test/faults/upkeep.test.ts';

export default defineConfig({
  test: {
    // Real servers start in before-hooks; a single test that needs longer says so itself.
    hookTimeout: 180_000,
    testTimeout: 30_000,
    expect: { poll: { timeout: 20_000 } },
    // The client that tests call with lets the error of a connection that it gives up escape, where the next call comes
    // first (github.com/connectrpc/connect-es/issues/1768). The call itself goes on, on another connection.
    onUnhandledError: ({ name, message }) =>
      name === 'ConnectError' && message === '[canceled] received GOAWAY without any open streams' ? false : undefined,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['{packages,services}/*/src/**/*.test.ts'], maxWorkers },
      },
      {
        extends: true,
        test: {
          name: 'repository',
          maxWorkers,
          include: [
            'test/repository/**/*.test.ts',
            'test/harness/**/*.test.ts',
            'test/store/**/*.test.ts',
            'test/model/**/*.test.ts',
            'test/interop/jose/**/*.test.ts',
            upkeep,
          ],
        },
      },
      {
        extends: true,
        // One stack serves all of these; each file works in a tenant of its own, and some revoke all there are.
        test: {
          name: 'system',
          include: ['test/e2e/*.test.ts', 'test/interop/*.test.ts'],
          globalSetup: 'test/harness/shared-stack.ts',
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: { name: 'confidentiality', include: ['test/e2e/confidentiality/*.test.ts'], maxWorkers },
      },
      {
        extends: true,
        test: {
          name: 'torture',
          include: ['test/torture/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
        },
      },
      {
        extends: true,
        // Each of these starts or breaks a stack of its own, one after the other.
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts', 'test/start/**/*.test.ts'],
          exclude: [upkeep],
          fileParallelism: false,
          testTimeout: 120_000,
        },
      },
    ],
  },
});
