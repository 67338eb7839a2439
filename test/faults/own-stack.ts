import {
  freePorts,
  type LocalPostgres,
  openTemporaryFolder,
  type Stack,
  startPostgres,
  startStack,
} from '@touchstone/local-stack';
import { shared } from '../harness/shared-stack.ts';
import { openWorld, type World } from '../harness/world.ts';

/** A stack for one file of tests to break, with a tenant in it. */
export interface OwnStack extends AsyncDisposable {
  readonly stack: Stack;
  readonly world: World;
  /** The Postgres that runs now, or ran last. */
  readonly postgres: LocalPostgres;
  /** Starts Postgres on the same data and port, after it was stopped or killed. */
  restartPostgres(): Promise<void>;
}

export interface OwnStackOptions {
  readonly kafka?: 'local' | readonly string[] | null;
  readonly environment?: Readonly<Record<string, string>>;
}

export async function openOwnStack({ kafka = null, environment = {} }: OwnStackOptions = {}): Promise<OwnStack> {
  await using opening = new AsyncDisposableStack();
  const { path: folder } = opening.use(await openTemporaryFolder());
  let restarted: LocalPostgres | null = null;
  opening.defer(() => restarted?.stop());
  const stack = opening.use(await startStack({ folder, ports: await freePorts(), kafka, environment }));
  const world = await openWorld(shared(stack));
  const resources = opening.move();
  return {
    stack,
    world,
    get postgres() {
      return restarted ?? stack.postgres;
    },
    async restartPostgres() {
      const { dataDir, port } = stack.postgres;
      restarted = await startPostgres({ dataDir, port });
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
