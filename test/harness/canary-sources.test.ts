import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Canary, findCanaries, type Source } from './canary.ts';
import { type ScratchPostgres, startScratchPostgres } from './canary-scratch-postgres.ts';
import { filesUnder, postgresFiles, postgresTables } from './canary-sources.ts';
import { walPayload } from './canary-wal.ts';

const secretNamed = (name: string): string => `canary-${name}-5f0c1b7a@example.org`;
const canariesNamed = (...names: string[]): Canary[] => names.map((name) => ({ name, value: secretNamed(name) }));

async function collect(sources: AsyncIterable<Source>): Promise<Source[]> {
  return Array.fromAsync(sources);
}

describe('files', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'canary-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('all under a folder, through links, and each folder once', async () => {
    await mkdir(join(folder, 'tree', 'inner'), { recursive: true });
    await mkdir(join(folder, 'elsewhere'));
    await writeFile(join(folder, 'tree', 'a'), 'a');
    await writeFile(join(folder, 'tree', 'inner', 'b'), 'b');
    await writeFile(join(folder, 'elsewhere', 'c'), secretNamed('linked'));
    await symlink('../../elsewhere', join(folder, 'tree', 'inner', 'link'));
    await symlink('..', join(folder, 'tree', 'inner', 'loop'));
    await symlink('nowhere', join(folder, 'tree', 'inner', 'dangling'));
    const sources = await collect(filesUnder(join(folder, 'tree')));
    expect(sources.map(({ name }) => name)).toEqual(['a', 'inner/b', 'inner/link/c']);
    expect(await findCanaries(sources, canariesNamed('linked'))).toMatchObject([{ source: 'inner/link/c' }]);
  });

  test('a file that goes after it was listed is passed over, a missing folder is an error', async () => {
    const gone = join(folder, 'gone');
    await mkdir(gone);
    await writeFile(join(gone, 'x'), 'x');
    const sources = await collect(filesUnder(gone));
    await rm(gone, { recursive: true });
    expect(await findCanaries(sources, canariesNamed('any'))).toEqual([]);
    await expect(collect(filesUnder(gone))).rejects.toThrow('ENOENT');
  });

  test('a secret that runs over the end of a page or a segment of the write-ahead log', async () => {
    const secret = Buffer.from(secretNamed('torn'));
    const pages = [Buffer.alloc(8192, 'x'), Buffer.alloc(8192, 'y'), Buffer.alloc(8192, 'z')];
    for (const [index, page] of pages.entries()) page.writeUInt16LE(index === 1 ? 0 : 2, 2);
    const [first, second, third] = pages as [Buffer, Buffer, Buffer];
    secret.copy(first, 8192 - 10, 0, 10);
    secret.copy(second, 24, 10);
    secret.copy(second, 8192 - 7, 0, 7);
    secret.copy(third, 40, 7);
    const [one, two] = ['000000010000000000000001', '000000010000000000000002'].map((name) => join(folder, name)) as [
      string,
      string,
    ];
    await writeFile(one, Buffer.concat([first, second]));
    await writeFile(two, third);
    const [source] = walPayload({ name: 'wal', path: one });
    const bytes = (source as { bytes: Buffer }).bytes;
    expect(bytes.indexOf(secret)).toBe(8192 - 40 - 10);
    expect(bytes.lastIndexOf(secret)).toBe(8192 - 40 + 8192 - 24 - 7);
    expect(await findCanaries([{ name: 'raw', path: one }], canariesNamed('torn'))).toEqual([]);
  });
});

describe('postgres', () => {
  const names = ['text', 'packed', 'odd', 'cut', 'dense', 'statistics', 'deleted', 'query', 'comment', 'blob'] as const;
  const many = Array.from({ length: 3000 }, (_, row) => `row${row}`);
  let postgres: ScratchPostgres;
  let client: Client;
  let other: Client;

  beforeAll(async () => {
    postgres = await startScratchPostgres();
    client = await postgres.connect();
    other = await postgres.connect();
    await client.query('create schema "Odd ""One"""');
    await client.query('create table "Odd ""One"""."My table" (v text)');
    await client.query('create table plain (id int, v text)');
    await client.query('create table packed (v bytea)');
    await client.query('create table long (v text)');
    await client.query('create table parted (id int, v text) partition by range (id)');
    await client.query('create table part partition of parted for values from (0) to (10000)');
    await client.query('alter table long alter v set storage external');
    await client.query('create table dense (v text)');
    await client.query('insert into plain values (1, $1), (2, $2)', [secretNamed('text'), secretNamed('deleted')]);
    await client.query('delete from plain where id = 2');
    await client.query('insert into "Odd ""One"""."My table" values ($1)', [`a "quoted" \\ ${secretNamed('odd')}`]);
    await client.query('insert into packed values ($1)', [gzipSync(secretNamed('packed'))]);
    await client.query('insert into long values ($1)', [`${'x'.repeat(1980)}${secretNamed('cut')}${'y'.repeat(4000)}`]);
    const lines = Array.from({ length: 3000 }, (_, row) => `the canary of row ${row ** 3} at example.org`);
    await client.query('insert into dense values ($1)', [[...lines, secretNamed('dense'), ...lines].join('\n')]);
    await client.query('insert into parted select 1, $1 from generate_series(1, 50)', [secretNamed('statistics')]);
    await client.query('analyze');
    await client.query('delete from parted');
    await client.query(`comment on table plain is '${secretNamed('comment')}'`);
    await client.query('select lo_from_bytea(0, $1)', [Buffer.from(secretNamed('blob'))]);
    await client.query('insert into parted select row, v from unnest($1::text[]) with ordinality u(v, row)', [
      many.map(secretNamed),
    ]);
    await other.query(`select '${secretNamed('query')}'`);
  });
  afterAll(async () => {
    await client?.end();
    await other?.end();
    await postgres?.[Symbol.asyncDispose]();
  });

  test('every row, raw bytes, statistics and the queries of others are read', async () => {
    const findings = await findCanaries(postgresTables(client), canariesNamed(...names));
    const found = (canary: string) =>
      findings.filter((finding) => finding.canary === canary).map(({ source, encoding }) => `${source}: ${encoding}`);
    expect(found('text')).toContain('public.plain rows 0-0: raw');
    expect(found('odd')).toContain('"Odd ""One"""."My table" rows 0-0: raw');
    expect(found('packed')).toContain('public.packed row 0 column 0: gzip > raw');
    expect(found('cut')).toContain('public.long rows 0-0: raw');
    expect(found('dense')).toContain('public.dense rows 0-0: raw');
    expect(found('statistics')).toEqual([expect.stringMatching(/^pg_catalog.pg_statistic rows .*: raw$/)]);
    expect(found('query')).toEqual([expect.stringMatching(/^pg_catalog.pg_stat_activity rows .*: raw$/)]);
    expect(found('comment')).toContainEqual(expect.stringMatching(/^pg_catalog.pg_description rows .*: raw$/));
    expect(found('blob')).toContainEqual(expect.stringMatching(/^pg_catalog.pg_largeobject row .*: raw$/));
    expect(found('deleted')).toEqual([]);
  });

  test('the client is free again, also when the reader stops early', async () => {
    for await (const _ of postgresTables(client)) break;
    expect((await client.query('select txid_current_if_assigned()')).rows).toHaveLength(1);
  });

  test('in the files also what is deleted, cut into chunks and compressed', async () => {
    await client.query('checkpoint');
    const findings = await findCanaries(postgresFiles(postgres.dataFolder), canariesNamed(...names));
    const sources = (canary: string) =>
      findings.filter((finding) => finding.canary === canary).map(({ source }) => source);
    const table = expect.stringMatching(/^base\/\d+\/\d+$/);
    for (const name of ['text', 'odd', 'packed', 'deleted', 'statistics', 'comment', 'blob'])
      expect(sources(name), name).toContainEqual(table);
    expect(sources('cut')).toContainEqual(expect.stringMatching(/^base\/\d+\/\d+ toast \d+$/));
    expect(sources('cut')).not.toContainEqual(table);
    expect(sources('dense')).toContainEqual(expect.stringMatching(/^base\/\d+\/\d+ toast \d+ decompressed$/));
    expect(sources('query')).toEqual([]);
  });

  test('in the write-ahead log nothing is lost at the ends of pages', async () => {
    const sources = (await collect(postgresFiles(postgres.dataFolder))).filter(({ name }) =>
      name.endsWith('without page headers'),
    );
    const findings = await findCanaries(sources, canariesNamed(...many));
    expect(new Set(findings.map(({ canary }) => canary)).size).toBe(many.length);
  });
});
