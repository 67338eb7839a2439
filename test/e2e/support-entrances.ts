import { setTimeout as sleep } from 'node:timers/promises';
import { create, type DescService, type MessageInitShape } from '@bufbuild/protobuf';
import { type Client, createClient, type Interceptor } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import {
  ConsentService,
  type ConsistencySchema,
  IssuerService,
  RefreshPolicySchema,
  RegistryService,
  RevocationService,
  TokenMethod,
  ValidatorService,
} from '@touchstone/contracts';
import type { ServiceName } from '@touchstone/local-stack';
import { expect } from 'vitest';
import type { SharedStack } from '../harness/shared-stack.ts';
import { openWorld, type World } from '../harness/world.ts';
import { outcomeInBatch, outcomeOf } from './support-outcome.ts';

/** What each entrance answers: `honoured`, `refused`, or what the call failed with. */
type Answers = Readonly<Record<string, string>>;

/** A token that was given out with a refresh token, under a consent, and everything that lets it in. */
export interface Presented {
  readonly own: World;
  readonly consentId: string;
  readonly token: string;
  /** As it was issued, where the token is a copy of it. */
  readonly whole: string;
  /** The one that has not been used yet. */
  readonly refreshToken: string;
  /** The revision as of which it was issued. */
  readonly revision: string;
  /** Every entrance by which it is validated, in every mode: knowing this revision, or being as old as `staleness`. */
  validated(revision: string): Promise<Answers>;
  /** What is made from it, or from its refresh token. */
  renewed(): Promise<Answers>;
}

type Consistency = MessageInitShape<typeof ConsistencySchema>;

/** In milliseconds: how old the answers may be that may be old. */
const staleness = 300;
/** Longer than callers are remembered without a look. */
const callerStaleness = 1_100;

const modesAsOf = (revision: string): Readonly<Record<string, Consistency | undefined>> => ({
  'by default': undefined,
  'fully consistent': { requirement: { case: 'fullyConsistent', value: true } },
  'at least a revision': { requirement: { case: 'atLeastRevision', value: revision } },
  [mayBeOld]: { requirement: { case: 'maxStaleness', value: { nanos: staleness * 1_000_000 } } },
});
const mayBeOld = 'of some age';

/** Without those in which an answer may be older than what has just returned. */
const atOnce = <Answer>(answers: Readonly<Record<string, Answer>>): Record<string, Answer> =>
  Object.fromEntries(Object.entries(answers).filter(([entrance]) => !entrance.endsWith(mayBeOld)));

const bearer =
  (credential: string): Interceptor =>
  (next) =>
  (request) => {
    request.header.set('authorization', `Bearer ${credential}`);
    return next(request);
  };

/** A service by each way on which an RPC can travel. */
function waysTo<Service extends DescService>(
  stack: SharedStack,
  name: ServiceName,
  service: Service,
  credential: string,
): readonly (readonly [way: string, client: Client<Service>])[] {
  const interceptors = [bearer(credential)];
  const http = { baseUrl: stack.http[name], httpVersion: '1.1', interceptors } as const;
  const transports = {
    gRPC: createGrpcTransport({ baseUrl: `http://${stack[name]}`, interceptors }),
    'gRPC-Web': createGrpcWebTransport(http),
    'binary over HTTP': createConnectTransport({ ...http, useBinaryFormat: true }),
    'JSON over HTTP': createConnectTransport({ ...http, useBinaryFormat: false }),
  };
  return Object.entries(transports).map(([way, transport]) => [way, createClient(service, transport)]);
}

/**
 * Gives out a token of this method, and asks nobody about it yet.
 * @param copy makes of it what is presented.
 */
export async function present(
  stack: SharedStack,
  method: TokenMethod = TokenMethod.REFERENCE,
  copy = (whole: string): string => whole,
): Promise<Presented> {
  const own = await openWorld(stack);
  const { appId, audience } = own;
  await own.changeApp(appId, {
    methods: [...new Set([TokenMethod.REFERENCE, method])],
    refresh: create(RefreshPolicySchema, { ttlMax: { seconds: 3_600n } }),
  });
  const consentId = await own.consent();
  const issued = await own.issue({ consentId, method, refreshable: true });
  const { token: whole, revision } = issued;
  const token = copy(whole);
  let { refreshToken } = issued;
  const validators = waysTo(stack, 'validator', ValidatorService, own.resourceServer.credential);
  const exchangers = {
    app: waysTo(stack, 'issuer', IssuerService, own.app.credential),
    'the resource server': waysTo(stack, 'issuer', IssuerService, own.resourceServer.credential),
  };
  return {
    own,
    consentId,
    token,
    whole,
    revision,
    get refreshToken() {
      return refreshToken;
    },
    async validated(asOf) {
      const modes = Object.entries(modesAsOf(asOf));
      const asked = validators.flatMap(([way, validator]) =>
        modes.flatMap(([mode, consistency]) => {
          const request = { token, audience, requiredScopes: ['orders:read'], ...(consistency && { consistency }) };
          return [
            answered(`ValidateToken, ${way}, ${mode}`, validator.validateToken(request)),
            answered(
              `BatchValidateTokens, ${way}, ${mode}`,
              onlyOf(validator.batchValidateTokens({ requests: [request] })),
            ),
          ];
        }),
      );
      return Object.fromEntries(await Promise.all(asked));
    },
    async renewed() {
      const exchanged = Object.entries(exchangers).flatMap(([caller, issuers]) =>
        issuers.map(([way, issuer]) =>
          answered(
            `ExchangeToken, ${way}, by ${caller}`,
            issuer.exchangeToken({ token, audience, scopes: ['orders:read'] }),
          ),
        ),
      );
      const answers = await Promise.all(exchanged);
      // One after the other: each makes the one that the next one uses.
      for (const [way, issuer] of exchangers.app) {
        const refreshing = issuer.refreshToken({ refreshToken }).then((renewed) => {
          ({ refreshToken } = renewed);
          return renewed;
        });
        answers.push(await answered(`RefreshToken, ${way}`, refreshing));
      }
      return Object.fromEntries(answers);
    },
  };
}

type Batch = ReturnType<Client<typeof ValidatorService>['batchValidateTokens']>;

async function onlyOf(batch: Batch): Promise<Parameters<typeof isRefusal>[0]> {
  await outcomeInBatch(batch);
  const [result] = (await batch).results;
  return result?.outcome.case === 'validated' ? result.outcome.value : { active: false };
}

async function answered(entrance: string, call: Promise<object>): Promise<readonly [entrance: string, answer: string]> {
  const outcome = await outcomeOf(call);
  if (outcome === 'FailedPrecondition TOKEN_NOT_HONOURED') return [entrance, 'refused'];
  if (outcome !== 'ok') return [entrance, outcome];
  return [entrance, isRefusal(await call) ? 'refused' : 'honoured'];
}

/** One that tells anything of the token is none. */
const isRefusal = (answer: { readonly active?: boolean; readonly tokenId?: string; readonly subject?: string }) =>
  answer.active === false && !answer.tokenId && !answer.subject;

type Revoke<Of> = (of: Of) => Promise<{ readonly revision: string }>;

export interface End {
  /** What becomes of its refresh token. */
  readonly refresh?: string;
  /** Whether it takes those who ask, too: they are remembered for a moment, and then callers that nobody knows. */
  readonly takesCallers?: boolean;
}

/** Expects that the token gets in everywhere, and after its revocation nowhere. */
export async function expectEnd(
  presented: Presented,
  revoke: Revoke<Presented>,
  { refresh = 'refused', takesCallers = false }: End = {},
): Promise<void> {
  const before = await presented.validated(presented.revision);
  expect(before).toEqual(everywhere(before, 'honoured'));
  const renewed = await presented.renewed();
  expect(renewed).toEqual(everywhere(renewed, 'honoured'));
  const { revision } = await revoke(presented);
  const orUnknown = (answer: string) => (takesCallers ? expect.toBeOneOf([answer, unknownCaller]) : answer);
  const refused = everywhere(before, orUnknown('refused'));
  expect(atOnce(await presented.validated(revision))).toEqual(atOnce(refused));
  const answerAt = (entrance: string) => orUnknown(entrance.startsWith('RefreshToken') ? refresh : 'refused');
  const ended = Object.keys(renewed).map((entrance) => [entrance, answerAt(entrance)]);
  expect(await presented.renewed()).toEqual(Object.fromEntries(ended));
  await sleep(staleness);
  expect(await presented.validated(revision)).toEqual(refused);
}

/** Expects that the credential is known to every service, and after its revocation to none. */
export async function expectEndOfCredential(
  stack: SharedStack,
  credential: string,
  revoke: () => Promise<unknown>,
): Promise<void> {
  const before = await calledWith(stack, credential);
  expect(before).toEqual(everywhere(before, 'honoured'));
  await revoke();
  await sleep(callerStaleness);
  expect(await calledWith(stack, credential)).toEqual(everywhere(before, unknownCaller));
}

const unknownCaller = 'Unauthenticated CALLER_UNKNOWN';

/** What each service says to a caller with this credential. */
async function calledWith(stack: SharedStack, credential: string): Promise<Answers> {
  const by = <Service extends DescService>(
    name: ServiceName,
    service: Service,
    call: (client: Client<Service>) => Promise<unknown>,
  ) =>
    waysTo(stack, name, service, credential).map(async ([way, client]) => {
      const outcome = await outcomeOf(call(client));
      // A caller that is known is refused for another reason: none of these asks for anything.
      const isKnown = /^(PermissionDenied|InvalidArgument|NotFound) /.test(outcome);
      return [`${service.name}, ${way}`, isKnown ? 'honoured' : outcome] as const;
    });
  const answers = [
    ...by('issuer', IssuerService, (client) => client.batchIssueTokens({})),
    ...by('issuer', RegistryService, (client) => client.getApp({ appId: 'none' })),
    ...by('issuer', ConsentService, (client) => client.listConsents({})),
    ...by('validator', ValidatorService, (client) => client.batchValidateTokens({})),
    ...by('revocation', RevocationService, (client) => client.getRevocation({ revocationId: 'rvk_0' })),
  ];
  return Object.fromEntries(await Promise.all(answers));
}

/** The same answer at each entrance. */
const everywhere = <Answer>(answers: Answers, answer: Answer): Record<string, Answer> =>
  Object.fromEntries(Object.keys(answers).map((entrance) => [entrance, answer]));
