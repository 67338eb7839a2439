import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ConsentService, IssuerService, RevocationService, ValidatorService } from '@touchstone/contracts';
import {
  clientOf,
  freePair,
  freePorts,
  type LocalKafka,
  openTemporaryFolder,
  type ServiceName,
  type ServicePorts,
  startKafka,
  startStack,
} from '@touchstone/local-stack';
import { addServer } from '../e2e/support-servers.ts';
import { untilTrue } from '../faults/until.ts';
import { openDatabaseClock } from '../harness/database-clock.ts';
import { keysOf } from '../harness/installation-keys.ts';
import { clocksPreload } from '../harness/machine-clocks.ts';
import { shared } from '../harness/shared-stack.ts';
import { bootstrapped, longLife, openWorld, type World } from '../harness/world.ts';
import { type App, type Arena, grantsIn, lastingLife } from './arena.ts';
import { countsOf, tellingCounts } from './counts.ts';
import { faults } from './faults.ts';
import { fenceMilliseconds } from './history.ts';
import { judge, type Violation } from './judge.ts';
import { faultsLogged } from './logged.ts';
import { racing } from './patches.ts';
import { appSettings, credentialOf, race, serverSettings } from './races.ts';
import { type Random, seeded } from './random.ts';
import { happened, noteRestored, nothingRecorded } from './recorded.ts';
import { readRecords, requireKept } from './records.ts';
import { requireRecovered } from './recovery.ts';
import { noteIfDead, type Replica, type Victims } from './victims.ts';

export interface TortureOptions {
  readonly seconds: number;
  /** A run that has not reached it by then goes on until it has, up to this long. */
  readonly goal?: { readonly secondsMax: number; isReached(done: Pick<TortureReport, 'counts' | 'faults'>): boolean };
  readonly seed: number;
  /** Whether there is a Kafka. */
  readonly kafka: boolean;
  /** The names of those that are injected. */
  readonly faults: readonly string[];
  /** The guard that is taken out, or a control; null: none. */
  readonly guard: string | null;
  readonly signal?: AbortSignal;
  readonly onProgress: (line: string) => void;
}

/** What a run did, and what was wrong with it. */
export interface TortureReport {
  readonly seed: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** Calls that failed as they may, by the reason. */
  readonly failures: Readonly<Record<string, number>>;
  /** Calls that failed as none may. */
  readonly unexpected: readonly string[];
  /** What services logged of calls that failed by faults of their own. */
  readonly logged: readonly string[];
  readonly violations: readonly Violation[];
}

const names = ['issuer', 'validator', 'revocation'] as const;
const racesAtOnce = 24;
const tenantsCount = 4;
/** Between two faults, at most: a short run is to have most kinds of them, a long one something to be hit. */
const calmMillisecondsOf = (seconds: number): number => Math.min(30_000, Math.max(3_000, (1_000 * seconds) / 60));
/** Records are read so often: those that are lost when the database is put back tell nothing. */
const readMilliseconds = 500;
const tellMilliseconds = 5_000;
/**
 * What has happened is judged so often, and in no more than this share of the time, for it is all that has happened, and nothing else
 * goes on meanwhile; a run that is wrong ends then. One that is to be wrong is so soon.
 */
const judgeMillisecondsOf = ({ guard }: TortureOptions): number => (guard === null ? 5_000 : 1_000);
const judgingShare = 0.03;
/** A long run is answered often enough: it is to revoke often. */
const restMillisecondsOf = (seconds: number): number => (seconds < 3_600 ? 0 : 120);
const preload = pathToFileURL(`${import.meta.dirname}/patching.ts`).href;

/** Runs real services under load and faults, and judges every answer. */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  const { seed, goal, onProgress } = options;
  const random = seeded(seed);
  await using running = new AsyncDisposableStack();
  const recorded = nothingRecorded();
  const victims = await startVictims(options, running, {
    onRestored: (restored) => noteRestored(recorded, restored),
    onDied: (what) => recorded.unexpected.push(`${what} had ended by itself`),
  });
  onProgress('Making tenants ...');
  const arenas = await Promise.all(Array.from({ length: tenantsCount }, () => openArena(victims)));

  const injected = new Map<string, number>();
  const began = performance.now();
  let seconds = goal?.secondsMax ?? options.seconds;
  let violations: Violation[] = [];
  const over = new AbortController();
  const hasEnough = () => performance.now() > began + seconds * 1_000 || violations.length > 0;
  const isOver = () => hasEnough() || over.signal.aborted || options.signal?.aborted === true;
  /** Ends early where the run does. */
  const pause = (milliseconds: number) => sleep(milliseconds, undefined, { signal: over.signal }).catch(() => {});

  const racers = Array.from({ length: racesAtOnce }, async (_, i) => {
    const mine = seeded(seed + 1 + i);
    const its = { restMilliseconds: restMillisecondsOf(options.seconds), ...racing[options.guard ?? ''] };
    while (!isOver()) await race(mine.of(arenas), mine, recorded, its);
  });
  const races = Promise.all(racers).finally(() => over.abort());
  const faulting = injectFaults(victims, random, options, injected, pause, isOver);
  const every = async (milliseconds: number, work: () => Promise<unknown>) => {
    while (!isOver()) {
      await pause(milliseconds);
      await work();
    }
  };
  const reading = every(readMilliseconds, () => readRecords(victims.postgres.adminUrl, recorded));
  let judgedNext = 0;
  const judging = every(judgeMillisecondsOf(options), async () => {
    const start = performance.now();
    if (start < judgedNext) return;
    violations = judge(happened(recorded), recorded.restores);
    judgedNext = start + (performance.now() - start) / judgingShare;
  });
  const countsText = tellingCounts(recorded.events);
  const telling = every(tellMilliseconds, async () => {
    const done = () => ({ counts: countsOf(recorded), faults: Object.fromEntries(injected) });
    if (goal?.isReached(done())) seconds = options.seconds;
    onProgress(`${countsText()}; ${[...injected.values()].reduce((sum, n) => sum + n, 0)} faults`);
  });
  await Promise.all([races, faulting, reading, judging, telling]);
  for (const { process } of victims.replicas) noteIfDead(victims, process);
  // One that is wrong on purpose need not.
  if (options.guard === null) await requireRecovered(arenas[0] as Arena, recorded);
  await untilTrue('all records have been read', () => readRecords(victims.postgres.adminUrl, recorded), 60_000);
  await requireKept(victims.postgres.adminUrl, recorded);
  return {
    seed,
    counts: countsOf(recorded),
    faults: Object.fromEntries(injected),
    failures: Object.fromEntries(recorded.failures),
    unexpected: recorded.unexpected,
    logged: await faultsLogged(victims.clocksFolder),
    violations: judge(recorded.events, recorded.restores),
  };
}

async function startVictims(
  { seed, kafka, guard, onProgress }: TortureOptions,
  running: AsyncDisposableStack,
  told: Pick<Victims, 'onRestored' | 'onDied'>,
): Promise<Victims> {
  const { path: folder } = running.use(await openTemporaryFolder());
  const ports = await freePorts();
  const places = await placesWith(ports);
  const [port, controllerPort] = ports.kafka;
  const startOne = () => startKafka({ dataDir: `${folder}/kafka`, port, controllerPort });
  onProgress('Starting Postgres, Kafka and the services ...');
  const first: LocalKafka | null = kafka ? await startOne() : null;
  const environment: Record<string, string> = {
    NODE_OPTIONS: `${clocksPreload} --import=${preload}`,
    CLOCKS_FOLDER: folder,
    FENCE_MILLISECONDS: String(fenceMilliseconds),
    // The more a guard has to be missed, the more often something comes between.
    TORTURE_PAUSES: guard === null ? '0.03:60' : '0.3:300',
    TORTURE_GUARD: guard ?? '',
    TORTURE_SEED: String(seed),
    TORTURE_PORTS: places.map(({ ports: [grpcPort] }) => grpcPort).join(),
    LOG_LEVEL: 'warn',
  };
  const stack = running.use(
    await startStack({ folder: `${folder}/stack`, ports, kafka: first ? first.brokers : null, environment }),
  );
  // Early: by the time that the others are ready, these have connected again.
  const databaseClock = await openDatabaseClock(stack.postgres.adminUrl);
  const replicas: Replica[] = [];
  for (const [i, { name, ports: pair }] of places.entries()) {
    const process = i < names.length ? stack.services[name] : await stack.startAnother(name, pair);
    replicas.push({ name, ports: pair, process });
  }
  await Promise.all(replicas.map(({ process }) => process.untilReady()));
  const victims: Victims = {
    stack,
    keys: await keysOf(stack),
    replicas,
    postgres: stack.postgres,
    kafka: first,
    startKafka: startOne,
    databaseClock,
    environment,
    clocksFolder: folder,
    ...told,
  };
  // What runs at the end is stopped, whichever it is by then.
  running.defer(() => victims.kafka?.stop());
  running.defer(() => victims.postgres.stop());
  running.defer(async () => {
    await Promise.all(victims.replicas.map(({ process }) => process.stop()));
  });
  return victims;
}

/** What runs where: the services of the stack, and another of each. */
async function placesWith(ports: Readonly<Record<ServiceName, ServicePorts>>): Promise<Omit<Replica, 'process'>[]> {
  const places = names.map((name) => ({ name, ports: ports[name] }));
  for (const name of names) places.push({ name, ports: await freePair() });
  return places;
}

async function openArena({ stack, replicas }: Victims): Promise<Arena> {
  const world: World = await openWorld(shared(stack), { tokenTtlMax: longLife });
  const { tenantId, audience } = world;
  const operator = await bootstrapped(shared(stack), [tenantId], ['tokens:revoke_all']);
  const { registry } = operator;
  const addressesOf = (name: ServiceName) =>
    replicas.filter((one) => one.name === name).map(({ process }) => process.grpc);
  const issuersFor = (credential: string) =>
    addressesOf('issuer').map((grpc) => clientOf(IssuerService, grpc, credential));
  const back = { audience, credential: world.resourceServer.credential, life: lastingLife(), isGone: false };
  const added = await addServer(shared(stack), world, serverSettings(back), longLife);
  const front = { audience: added.audience, credential: added.clients.credential, life: lastingLife(), isGone: false };
  const addApp = async (): Promise<App> => {
    const appId = await world.addApp({ ...appSettings, grants: grantsIn({ front, back }) });
    const { credential } = await registry.issueCredential(credentialOf(appId));
    return { appId, credential, life: lastingLife() };
  };
  return {
    tenantId,
    front,
    back,
    apps: await Promise.all(Array.from({ length: 3 }, addApp)),
    issuers: issuersFor(world.identity.credential),
    consents: addressesOf('issuer').map((grpc) => clientOf(ConsentService, grpc, world.identity.credential)),
    revocations: addressesOf('revocation').map((grpc) => clientOf(RevocationService, grpc, operator.credential)),
    registry,
    anyonesIssuers: issuersFor(''),
    validators: addressesOf('validator').map((grpc) => ({ name: grpc, client: clientOf(ValidatorService, grpc, '') })),
  };
}

async function injectFaults(
  victims: Victims,
  random: Random,
  { faults: wanted, seconds }: TortureOptions,
  injected: Map<string, number>,
  pause: (milliseconds: number) => Promise<void>,
  isOver: () => boolean,
): Promise<void> {
  let waiting: string[] = [];
  while (wanted.length > 0 && !isOver()) {
    await pause(random.next() * calmMillisecondsOf(seconds));
    if (isOver()) return;
    // Each comes as often as every other.
    if (waiting.length === 0) waiting = [...wanted];
    const [name = ''] = waiting.splice(random.below(waiting.length), 1);
    const hasHappened = await faults[name]?.(victims, random);
    if (hasHappened !== false) injected.set(name, (injected.get(name) ?? 0) + 1);
  }
}
