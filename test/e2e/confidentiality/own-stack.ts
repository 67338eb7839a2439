import { freePorts, openTemporaryFolder, type Stack, type StackOptions, startStack } from '@touchstone/local-stack';
import pg from 'pg';
import { type SharedStack, shared } from '../../harness/shared-stack.ts';

/** A stack of its own for one file: what is taken and changed here would disturb others. */
export interface OwnStack extends AsyncDisposable {
  readonly stack: Stack;
  /** The same for the helpers of the harness. */
  readonly shared: SharedStack;
  readonly folder: string;
  /** What `/.well-known/jwks.json` says. */
  published(): Promise<readonly PublishedKey[]>;
  /** A new connection of the superuser's; ended with the stack. */
  superuser(): Promise<pg.Client>;
}

export interface PublishedKey {
  readonly kid: string;
  readonly x?: string;
}

export async function openOwnStack(kafka: StackOptions['kafka'] = null): Promise<OwnStack> {
  await using opening = new AsyncDisposableStack();
  const { path: folder } = opening.use(await openTemporaryFolder());
  const stack = opening.use(await startStack({ folder, ports: await freePorts(), kafka }));
  const resources = opening.move();
  return {
    stack,
    shared: shared(stack),
    folder,
    async published() {
      const response = await fetch(`${stack.services.issuer.http}/.well-known/jwks.json`);
      return ((await response.json()) as { keys: PublishedKey[] }).keys;
    },
    superuser: () => connect(stack.postgres.adminUrl, resources),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function connect(connectionString: string, resources: AsyncDisposableStack): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, options: '-c search_path=touchstone' });
  // It may be away before its connections are ended.
  client.on('error', () => {});
  await client.connect();
  resources.defer(() => client.end().catch(() => {}));
  return client;
}
