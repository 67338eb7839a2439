import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { choicesMissed, keySettings } from './key-settings.ts';
import { tlsSettings } from './tls-settings.ts';

/** The environment can't be used: a line for each variable, with what would be right and never its value. */
export class SettingsWrong extends Error {
  override readonly name = 'SettingsWrong';
  constructor(problems: readonly string[]) {
    super(`these settings are wrong:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  }
}

/** A TCP port; 0 picks a free one. */
const port = (usual: number, what: string) =>
  z.coerce.number().int().min(0).max(65_535).default(usual).describe(`Port of the ${what}; 0 picks a free one.`);

/** A whole number that is at least so much. */
export const wholeNumber = (usual: number, min: number, what: string) =>
  z.coerce.number().int().min(min).default(usual).describe(what);

/** A replica commits to the census every second: a fence that is no longer has run out before each commit. */
export const fenceMilliseconds = (what: string) => wholeNumber(5_000, 2_000, what);

/** Addresses of brokers, separated by commas. */
export const brokerList = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((broker) => broker.trim())
      .filter(Boolean),
  );

/** What every service reads from its environment; a service adds its own to it. */
export const commonSettings = <Name extends string>(service: Name, grpcPort: number, httpPort: number) =>
  z
    .object({
      [`${service}_GRPC_PORT`]: port(grpcPort, 'gRPC listener'),
      [`${service}_HTTP_PORT`]: port(httpPort, 'HTTP listener'),
    } as Record<`${Name}_GRPC_PORT` | `${Name}_HTTP_PORT`, ReturnType<typeof port>>)
    .extend({
      HOST: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
      ADVERTISED_HOST: z
        .string()
        .default('')
        .describe('Where others reach the service, as the census lists it; none: HOST.'),
      BUILD: z.string().default('').describe('Names what runs, as the census lists it: a version, a commit.'),
      DATABASE_URL: databaseUrl("PostgreSQL's URL, for a login that has been granted this service's role."),
      DATABASE_CONNECTIONS_MAX: wholeNumber(
        8,
        2,
        'The most connections to PostgreSQL that calls share; what takes or lasts longer has others: one in a validator, up to two in an issuer, up to seven in a revocation service.',
      ),
      ...keySettings,
      KAFKA_BROKERS: brokerList.describe(
        'Kafka brokers, host:port, separated by commas; none: revisions come from PostgreSQL, and audit events wait.',
      ),
      FENCE_MILLISECONDS: fenceMilliseconds('After this long without a commit to the census nothing is answered.'),
      ...tlsSettings,
      MESSAGE_BYTES_MAX: wholeNumber(4_194_304, 1_024, 'The largest request, in bytes.'),
      DRAIN_MILLISECONDS: wholeNumber(0, 0, 'How long to go on serving after having told that it stops.'),
      STOP_MILLISECONDS: wholeNumber(10_000, 0, 'How long calls in flight may take to end when it stops.'),
      LOG_LEVEL: z
        .enum(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('The least that is logged: debug, info, warn or error; silent: nothing.'),
    });

/** The settings that every service has. */
export type CommonConfig = z.output<ReturnType<typeof commonSettings<string>>>;

/** PostgreSQL's URL. Secret: so it can also be given as the name of a file that holds it, by the variable's name and `_FILE`. */
export const databaseUrl = (what: string) =>
  z
    .string()
    .refine(isDatabaseUrl, 'must be a postgres:// URL: what is special in a password is written as %23 and the like')
    .describe(`${what} Secret; or a file that holds it, as the variable of the same name and _FILE.`);

/** For the driver one that is none is a server that does not answer. A login and no host is one: `?host=` can name a socket. */
const isDatabaseUrl = (text: string): boolean =>
  /^postgres(ql)?:\/\//i.test(text) && URL.canParse(text.replace('@/', '@localhost/'));

/** Reads the settings from an environment. @throws SettingsWrong */
export function readSettings<Schema extends z.ZodObject>(schema: Schema, env: NodeJS.ProcessEnv): z.output<Schema> {
  const given: Record<string, string> = {};
  const problems: string[] = [];
  for (const name of Object.keys(schema.shape)) {
    const value = env[name] || fromFile(env[`${name}_FILE`], `${name}_FILE`, problems);
    if (value) given[name] = value;
  }
  problems.push(...choicesMissed(schema.shape, given));
  const read = schema.safeParse(given);
  if (read.success && problems.length === 0) return read.data;
  for (const { path, message, code } of read.error?.issues ?? []) {
    const name = String(path[0]);
    const isMissing = given[name] === undefined && code === 'invalid_type';
    const { description } = schema.shape[name] as z.ZodType;
    problems.push(isMissing ? `${name} is missing: ${description}` : `${name}: ${message}`);
  }
  throw new SettingsWrong(problems);
}

function fromFile(path: string | undefined, name: string, problems: string[]): string | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    problems.push(`${name}: the file can't be read`);
    return undefined;
  }
}

/** A setting as the documentation lists it. */
export interface DescribedSetting {
  readonly name: string;
  readonly description: string;
  /** Null: it must be given. */
  readonly usual: string | null;
}

/** The settings of a schema, for documentation. */
export const describeSettings = (schema: z.ZodObject): DescribedSetting[] =>
  Object.entries(schema.shape).map(([name, field]) => {
    const { description = '' } = field as z.ZodType;
    const usual = (field as z.ZodType).safeParse(undefined);
    return { name, description, usual: usual.success ? textOf(usual.data) : null };
  });

const textOf = (value: unknown): string => (Array.isArray(value) ? value.join(',') : String(value ?? ''));
