import { brokerList, readSettings } from '@touchstone/service-kit';
import { z } from 'zod';
import type { StackPorts } from './stack.ts';

const port = (usual: number, what: string) =>
  z.coerce.number().int().min(1).max(65_535).default(usual).describe(`Port of ${what}.`);

/** The ports that `npm start` reads from its environment. */
const portSettings = z.object({
  ISSUER_GRPC_PORT: port(7001, "the issuer's gRPC listener"),
  ISSUER_HTTP_PORT: port(7011, "the issuer's HTTP listener"),
  VALIDATOR_GRPC_PORT: port(7002, "the validator's gRPC listener"),
  VALIDATOR_HTTP_PORT: port(7012, "the validator's HTTP listener"),
  REVOCATION_GRPC_PORT: port(7003, "the revocation service's gRPC listener"),
  REVOCATION_HTTP_PORT: port(7013, "the revocation service's HTTP listener"),
  POSTGRES_PORT: port(7432, 'PostgreSQL'),
  KAFKA_PORT: port(7092, 'Kafka, with `--kafka`'),
  KAFKA_CONTROLLER_PORT: port(7093, "Kafka's controller, with `--kafka`"),
});

/** What `npm start` reads from its environment. */
export const localSettings = portSettings.extend({
  KAFKA_BROKERS: brokerList.describe('Brokers of a Kafka that is there already, host:port, separated by commas.'),
  TOUCHSTONE_CACHE: z.string().default('.cache').describe("Folder for Kafka's jars, which are fetched once."),
  JAVA_HOME: z.string().default('').describe('The Java that runs Kafka; none: the one on the path.'),
});

type LocalSettings = z.output<typeof localSettings>;

/** @throws SettingsWrong */
export const readLocalSettings = (): LocalSettings => readSettings(localSettings, process.env);

export const portsOf = (settings: LocalSettings): StackPorts => ({
  issuer: [settings.ISSUER_GRPC_PORT, settings.ISSUER_HTTP_PORT],
  validator: [settings.VALIDATOR_GRPC_PORT, settings.VALIDATOR_HTTP_PORT],
  revocation: [settings.REVOCATION_GRPC_PORT, settings.REVOCATION_HTTP_PORT],
  postgres: settings.POSTGRES_PORT,
  kafka: [settings.KAFKA_PORT, settings.KAFKA_CONTROLLER_PORT],
});

/** Each port with the variable that sets it; Kafka's only where one is started. */
export const portVariables = (settings: LocalSettings, kafka: boolean): [variable: string, port: number][] =>
  (Object.keys(portSettings.shape) as (keyof typeof portSettings.shape)[])
    .filter((variable) => kafka || !variable.startsWith('KAFKA'))
    .map((variable) => [variable, settings[variable]]);
