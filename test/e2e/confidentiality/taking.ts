import { readFile } from 'node:fs/promises';
import type { Source } from '../../harness/canary.ts';
import { filesUnder } from '../../harness/canary-sources.ts';

/** What `/metrics` of each service says now. */
export async function metricsPages(http: Readonly<Record<string, string>>): Promise<Source[]> {
  const pages = Object.entries(http).map(async ([service, url]) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return { name: `metrics of ${service}`, bytes: Buffer.from(text) };
  });
  return Promise.all(pages);
}

const paths = ['/.well-known/jwks.json', '/readyz', '/healthz', '/'];

/** What else anybody may ask of the services' HTTP ports. */
export async function publicPages(http: Readonly<Record<string, string>>): Promise<Source[]> {
  const pages = Object.entries(http).flatMap(([service, url]) =>
    paths.map(async (path) => {
      const response = await fetch(`${url}${path}`);
      const text = JSON.stringify([[...response.headers], await response.text()]);
      return { name: `${path} of ${service}`, bytes: Buffer.from(text) };
    }),
  );
  return Promise.all(pages);
}

/** Log files, as they are now. */
export async function logs(files: readonly string[]): Promise<Source[]> {
  return Promise.all(files.map(async (file) => ({ name: file, bytes: await readFile(file) })));
}

/** All that the stack keeps but Postgres' data: logs, Kafka's data, the key files themselves. */
export async function* besidesPostgres(folder: string): AsyncIterable<Source> {
  for await (const file of filesUnder(folder)) if (!file.name.startsWith('postgres/')) yield file;
}
