import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{packages,services}/*/src/**/*.test.ts', 'scripts/**/*.test.ts', 'test/**/*.test.ts'],
    // Real servers start in before-hooks; a single test that needs longer says so itself.
    hookTimeout: 120_000,
    testTimeout: 30_000,
  },
});
