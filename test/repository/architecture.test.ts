import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What each part may import of ours, or which entry of it alone: requests go one way, from the services inwards. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  contracts: [],
  client: ['core/token-strings'],
  'token-methods': ['core'],
  'store-postgres': ['core'],
  events: ['core', 'contracts'],
  'service-kit': ['core', 'contracts'],
  replica: ['core', 'events', 'store-postgres', 'token-methods'],
  issuer: ['core', 'contracts', 'events', 'replica', 'service-kit', 'store-postgres', 'token-methods'],
  validator: ['core', 'contracts', 'events', 'replica', 'service-kit', 'store-postgres', 'token-methods'],
  revocation: ['core', 'contracts', 'events', 'replica', 'service-kit', 'store-postgres'],
  cli: ['core', 'replica', 'service-kit', 'store-postgres', 'token-methods'],
  'local-stack': ['client', 'contracts', 'core', 'replica', 'service-kit', 'store-postgres', 'token-methods'],
};

/** Packages of others that a part may import; the rest may import what their package.json says. The core does no I/O. */
const mayImportOfOthers: Readonly<Record<string, RegExp>> = {
  // Whoever calls the services takes none of what they stand on.
  client: /^(node:crypto|jose|@bufbuild\/protobuf|@connectrpc\/connect(-node)?)$/,
  core: /^(node:(buffer|crypto|util|zlib)|lru-cache)$/,
};

const parts = ['packages', 'services'].flatMap((folder) =>
  readdirSync(join(root, folder)).map((name) => ({ name, path: join(root, folder, name, 'src') })),
);

const sourcesIn = (path: string): string[] =>
  readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith(`gen${sep}`))
    .map((file) => join(path, file));

const importsOf = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] as string);

describe('imports go one way', () => {
  test('every part is in the table', () => {
    expect(parts.map(({ name }) => name).sort()).toEqual(Object.keys(mayImport).sort());
  });

  test.each(parts)('$name imports only what it may', ({ name, path }) => {
    const wrong: string[] = [];
    for (const file of sourcesIn(path)) {
      for (const imported of importsOf(file)) {
        const [, entry, ours] = /^@touchstone\/(([^/]+).*)/.exec(imported) ?? [];
        const isWrong = ours
          ? ![ours, entry].some((one) => mayImport[name]?.includes(one as string))
          : !imported.startsWith('.') && mayImportOfOthers[name] && !mayImportOfOthers[name].test(imported);
        if (isWrong) wrong.push(`${relative(root, file)}: ${imported}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each(parts)('$name reaches into no other part by its path', ({ path }) => {
    const outside = sourcesIn(path).flatMap((file) =>
      importsOf(file).filter(
        (imported) => imported.startsWith('.') && !join(file, '..', imported).startsWith(dirname(path) + sep),
      ),
    );
    expect(outside).toEqual([]);
  });
});

test('the three services have the same files', () => {
  // Not each has jobs that go on in the background, or documents at its HTTP port.
  const filesOf = (name: string) =>
    readdirSync(join(root, 'services', name, 'src'))
      .filter((file) => !/^(jobs|pages)\.ts$|\.test\.ts$/.test(file))
      .sort();
  expect(filesOf('validator')).toEqual(filesOf('issuer'));
  expect(filesOf('revocation')).toEqual(filesOf('issuer'));
});

test('each RPC has a file by its name', () => {
  const services = { issuer: ['issuer', 'registry', 'consent'], validator: ['validator'], revocation: ['revocation'] };
  for (const [service, protos] of Object.entries(services)) {
    const files = readdirSync(join(root, 'services', service, 'src', 'rpc')).map((file) => basename(file, '.ts'));
    for (const proto of protos) {
      const text = readFileSync(join(root, 'proto/touchstone/v1', `${proto}.proto`), 'utf8');
      for (const [, rpc = ''] of text.matchAll(/^ {2}rpc (\w+)\(/gm)) {
        expect(files).toContain(rpc.replace(/(?<!^)[A-Z]/g, '-$&').toLowerCase());
      }
    }
  }
});
