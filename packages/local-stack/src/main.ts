/** `npm start`: a whole Touchstone on this machine. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { openTemporaryFolder } from './folders.ts';
import { freePorts } from './free-ports.ts';
import { openProgress } from './progress.ts';
import { showMainJob } from './show.ts';
import { type Stack, type StackPorts, startStack } from './stack.ts';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

interface Flags {
  readonly kafka: boolean;
  readonly fresh: boolean;
  readonly ephemeral: boolean;
}

/** A port of the environment, or the one that the documentation names. */
function port(name: string, usual: number): number {
  const value = Number(process.env[name] ?? usual);
  if (Number.isInteger(value) && value > 0 && value < 65_536) return value;
  throw new Error(`${name} must be a port, 1 to 65535`);
}

const usualPorts = (): StackPorts => ({
  issuer: [port('ISSUER_GRPC_PORT', 7001), port('ISSUER_HTTP_PORT', 7011)],
  validator: [port('VALIDATOR_GRPC_PORT', 7002), port('VALIDATOR_HTTP_PORT', 7012)],
  revocation: [port('REVOCATION_GRPC_PORT', 7003), port('REVOCATION_HTTP_PORT', 7013)],
  postgres: port('POSTGRES_PORT', 7432),
  kafka: [port('KAFKA_PORT', 7092), port('KAFKA_CONTROLLER_PORT', 7093)],
});

/** What programs need to find and use the stack. */
const descriptionOf = ({ services, postgres, kafkaBrokers, demo }: Stack): string =>
  JSON.stringify(
    {
      issuer: { grpc: services.issuer.grpc, http: services.issuer.http },
      validator: { grpc: services.validator.grpc, http: services.validator.http },
      revocation: { grpc: services.revocation.grpc, http: services.revocation.http },
      postgres: postgres.adminUrl,
      kafka: kafkaBrokers.length > 0 ? kafkaBrokers : null,
      operator_token: demo.operatorToken,
      identity_token: demo.identityToken,
      app_token: demo.appToken,
      resource_server_token: demo.resourceServerToken,
      tenant_id: demo.tenantId,
      app_id: demo.appId,
      audience: demo.audience,
      scopes: demo.scopes,
    },
    null,
    2,
  );

function printNextSteps({ services, demo }: Stack, description: string): void {
  const issue = JSON.stringify({
    tenantId: demo.tenantId,
    appId: demo.appId,
    userId: 'ada',
    audience: demo.audience,
    scopes: [demo.scopes[0]],
    usage: 'USAGE_INTERACTIVE',
    claims: { name: 'Ada', email: 'ada@example.org' },
  });
  console.log(`
Endpoints and credentials are in ${description}. To issue a token yourself:

  curl -s ${services.issuer.http}/touchstone.v1.IssuerService/IssueToken \\
    -H "authorization: Bearer $(node -p "require('${description}').identity_token")" \\
    -H 'content-type: application/json' \\
    -d '${issue}'

gRPC reflection is on: grpcurl -plaintext ${services.validator.grpc} list
Metrics: ${services.validator.http}/metrics    Ctrl-C stops everything.`);
}

async function main(flags: Flags): Promise<void> {
  await using opening = new AsyncDisposableStack();
  const started = performance.now();
  const stopping = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  const progress = openProgress();
  const usual = join(repository, '.touchstone');
  if (flags.fresh && !flags.ephemeral) await rm(usual, { recursive: true, force: true });
  const folder = flags.ephemeral ? opening.use(await openTemporaryFolder()).path : usual;
  const ports = flags.ephemeral ? await freePorts() : usualPorts();
  const brokers = process.env.KAFKA_BROKERS?.split(',').filter(Boolean);
  const kafka = brokers?.length ? brokers : flags.kafka ? 'local' : null;

  const starting = startStack({ folder, ports, kafka, onProgress: progress.step });
  const stack = opening.use(await starting);
  const description = join(folder, 'local.json');
  await rm(description, { force: true });
  await writeFile(description, `${descriptionOf(stack)}\n`, { mode: 0o600 });
  progress.done(`Touchstone is up after ${((performance.now() - started) / 1_000).toFixed(1)} s.`);
  console.log(`
  issuer      gRPC ${stack.services.issuer.grpc}   HTTP ${stack.services.issuer.http}
  validator   gRPC ${stack.services.validator.grpc}   HTTP ${stack.services.validator.http}
  revocation  gRPC ${stack.services.revocation.grpc}   HTTP ${stack.services.revocation.http}
  Kafka       ${stack.kafkaBrokers.join(', ') || 'none (npm start -- --kafka starts one)'}

The main job, done just now:
`);
  await showMainJob(stack, console.log);
  printNextSteps(stack, description);
  await stopping;
  console.log('\nStopping ...');
}

await new Command('npm start --')
  .description('Starts PostgreSQL and the three services on this machine, and shows what they do.')
  .option('--kafka', 'start a real local Kafka too (needs Java 17 and, once, Maven)', false)
  .option('--fresh', 'start over: remove what earlier runs have stored', false)
  .option('--ephemeral', 'free ports and a temporary folder, removed at the end', false)
  .action(async (flags: Flags) => {
    await main(flags).catch((error: unknown) => {
      console.error(`\nTouchstone did not start: ${error instanceof Error ? error.message : error}`);
      if (error instanceof Error && error.cause instanceof Error) console.error(`  ${error.cause.message}`);
      process.exitCode = 1;
    });
  })
  .parseAsync();
