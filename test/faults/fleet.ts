import { readFileSync } from 'node:fs';
import { TokenMethod } from '@touchstone/contracts';
import type { ServiceName } from '@touchstone/local-stack';
import { shared } from '../harness/shared-stack.ts';
import { clientsOf, scopes, unique } from '../harness/world.ts';
import { type Calls, callsOf } from './calls.ts';
import type { OwnStack } from './own-stack.ts';
import { spawnService } from './spawned.ts';
import { untilTrue } from './until.ts';

interface Member {
  readonly grpc: string;
  /** What this one answers. */
  readonly calls: Calls;
  /** Calls that it has not answered yet. */
  inFlight: number;
  /** Its log. */
  output(): string;
  stop(): Promise<unknown>;
}

/** The services of a stack as a balancer leads to them, while they are exchanged one by one. */
export interface Fleet {
  /** Each goes to the next replica, and each token is made by the next method, of those that need a data key and one that does not. */
  readonly calls: Calls;
  /** Records a consent, at the next replica. */
  consent(): Promise<string>;
  /** The logs of the replicas of a service. */
  output(name: ServiceName): string;
  /** Starts one more of a service, and stops those before it once it is ready and they have nothing left to answer. */
  replace(name: ServiceName, environment: Readonly<Record<string, string>>): Promise<void>;
}

const methods = [TokenMethod.REFERENCE, TokenMethod.SIGNED, TokenMethod.CONSENT_KEY];

/** @param resources take what is started. */
export async function openFleet({ stack, world }: OwnStack, resources: AsyncDisposableStack): Promise<Fleet> {
  const appId = await world.addApp({ methods });
  const memberOf = (name: ServiceName, grpc: string, rest: Pick<Member, 'output' | 'stop'>): Member => ({
    grpc,
    calls: callsOf(stack, world, { timeoutMs: 30_000, at: { [name]: grpc } }),
    inFlight: 0,
    ...rest,
  });
  function ofStack(name: ServiceName): Member[] {
    const { grpc, logFile, stop } = stack.services[name];
    return [memberOf(name, grpc, { output: () => readFileSync(logFile, 'utf8'), stop })];
  }
  const members = { issuer: ofStack('issuer'), validator: ofStack('validator'), revocation: ofStack('revocation') };
  let turn = 0;
  async function atNext<Answer>(name: ServiceName, call: (member: Member) => Promise<Answer>): Promise<Answer> {
    const member = members[name][turn++ % members[name].length] as Member;
    member.inFlight++;
    try {
      return await call(member);
    } finally {
      member.inFlight--;
    }
  }

  const consent = () => atNext('issuer', consentAt);
  async function consentAt({ grpc }: Member): Promise<string> {
    const issuer = clientsOf({ ...shared(stack), issuer: grpc }, world.identity.credential);
    const { consent } = await issuer.consents.recordConsent({
      tenantId: world.tenantId,
      appId,
      userId: 'ada',
      grants: [{ audience: world.audience, scopes }],
      ttl: { seconds: 3_600n },
      idempotencyKey: unique('consent'),
    });
    return consent?.consentId ?? '';
  }

  let issued = 0;
  const calls: Calls = {
    async issue(over) {
      const method = methods[issued++ % methods.length];
      const consentId = method === TokenMethod.CONSENT_KEY ? await consent() : '';
      return atNext('issuer', (member) => member.calls.issue({ appId, method, consentId, ...over }));
    },
    validate: (...asked) => atNext('validator', (member) => member.calls.validate(...asked)),
    revoke: (token) => atNext('revocation', (member) => member.calls.revoke(token)),
    revokeTarget: (target) => atNext('revocation', (member) => member.calls.revokeTarget(target)),
  };
  return {
    calls,
    consent,
    output: (name) => members[name].map(({ output }) => output()).join(''),
    async replace(name, environment) {
      const spawned = resources.use(await spawnService(stack, name, { environment }));
      await spawned.untilReady();
      const before = members[name];
      async function stop(): Promise<void> {
        spawned.signal('SIGTERM');
        await spawned.exited;
      }
      const member = memberOf(name, spawned.grpc, { output: spawned.output, stop });
      members[name] = [...before, member];
      // By both, for a while.
      for (const _ of methods) await calls.revoke((await calls.issue()).token);
      members[name] = [member];
      for (const one of before) {
        await untilTrue('its calls have ended', () => one.inFlight === 0);
        await one.stop();
      }
    },
  };
}
