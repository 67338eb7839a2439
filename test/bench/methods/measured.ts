import {
  BatchValidateTokensRequestSchema,
  ClientType,
  ConsentService,
  HostingType,
  IssuerService,
  IssueTokenRequestSchema,
  RegistryService,
  TokenMethod,
  ValidateTokenRequestSchema,
  ValidatorService,
} from '@touchstone/contracts';
import { clientOf, type Stack } from '@touchstone/local-stack';
import { WrongAnswer } from '../checks.ts';
import {
  batchConcurrency,
  batchesOf,
  batchSize,
  encode,
  issueRequest,
  serverOf,
  single,
  validateRequest,
} from '../loads.ts';
import { type Bench, type Load, measure, median, type Run } from '../measure.ts';
import type { Holder } from '../seed.ts';

/** What calls of one kind cost. */
export interface Cost {
  readonly callsPerSecond: number;
  /** Of the throughput of REFERENCE right before. */
  readonly ofReference: number;
  /** Microseconds of the service, a call. */
  readonly cpu: number;
}

/** What a method costs. */
export interface MeasuredMethod {
  readonly name: string;
  /** Of a token. */
  readonly characters: number;
  /** Each token for the first time. */
  readonly validate: Cost;
  /** The same tokens again and again. */
  readonly validateAgain: Cost;
  readonly batchAgain: Cost;
  readonly issue: Cost;
}

const methods = Object.entries(TokenMethod).filter(([name]) => name !== 'UNSPECIFIED');
const methodOf = (name: string): TokenMethod => TokenMethod[name as keyof typeof TokenMethod];
const user = 0;
/** Tokens that are validated again and again. */
const seenCount = 5_000;
/** More calls a second than any load here comes to. */
const rateMax = 12_000;
/** The same, of tokens that have not been seen. */
const freshRate = 8_000;
const kinds = ['validate', 'validateAgain', 'batchAgain', 'issue'] as const;
type Kind = (typeof kinds)[number];

/** Measures all methods by turns, each next to REFERENCE, so often. @throws WrongAnswer */
export async function measureMethods(bench: Bench, stack: Stack, rounds: number): Promise<MeasuredMethod[]> {
  const issuing = await register(stack);
  const pairs = new Map<string, { readonly own: Run; readonly reference: Run }[]>();
  const lengths = new Map<string, number>();
  const seen = new Map<string, string[]>();
  for (const [name, method] of methods) seen.set(name, await issue(stack, issuing(method), seenCount));
  for (const [name, tokens] of seen) {
    lengths.set(name, median(tokens.map(({ length }) => length)));
    await requireHonoured(stack, tokens);
  }
  const measureOne = async (kind: Kind, name: string, seconds: number): Promise<Run> => {
    const request = issuing(methodOf(name));
    const load = await loadOf(kind, stack, { issuing: request, seen: seen.get(name) ?? [], seconds });
    return measure(bench, load, { rate: null, rateMax, seconds });
  };
  // The first round is to warm up.
  for (let round = 0; round <= rounds; round++) {
    for (const kind of kinds) {
      for (const [name] of methods) {
        bench.onProgress(`${round === 0 ? 'Warming up' : `Round ${round}`}: ${kind}, ${name} ...`);
        const seconds = round === 0 ? 1 : bench.seconds;
        // Machines are noisy, and what is near in time is alike.
        const reference = await measureOne(kind, 'REFERENCE', seconds);
        const own = name === 'REFERENCE' ? reference : await measureOne(kind, name, seconds);
        const key = `${kind} ${name}`;
        if (round > 0) pairs.set(key, [...(pairs.get(key) ?? []), { own, reference }]);
      }
    }
  }
  const costOf = (kind: Kind, name: string): Cost => {
    const measured = pairs.get(`${kind} ${name}`) ?? [];
    return {
      callsPerSecond: median(measured.map(({ own }) => own.callsPerSecond)),
      ofReference: median(measured.map(({ own, reference }) => own.callsPerSecond / reference.callsPerSecond)),
      cpu: median(measured.map(({ own }) => own.cpu.server)),
    };
  };
  return methods.map(([name]) => ({
    name,
    characters: lengths.get(name) ?? 0,
    validate: costOf('validate', name),
    validateAgain: costOf('validateAgain', name),
    batchAgain: costOf('batchAgain', name),
    issue: costOf('issue', name),
  }));
}

type IssueRequest = ReturnType<Awaited<ReturnType<typeof register>>>;

/** An app that may have every method, and the consent of a user to it; what is asked of IssueToken for each method. */
async function register({ services, demo }: Stack) {
  const registry = clientOf(RegistryService, services.issuer.grpc, demo.operatorToken);
  const holder: Holder = { ...demo, appId: 'methods-app' };
  const grants = [{ audience: demo.audience, scopes: [...demo.scopes] }];
  await registry.createApp({
    app: {
      appId: holder.appId,
      tenantId: holder.tenantId,
      clientType: ClientType.WEB,
      hostingType: HostingType.FIRST_PARTY,
      grants,
      methods: methods.map(([, method]) => method),
    },
  });
  const request = issueRequest(holder, user);
  const { consent } = await clientOf(ConsentService, services.issuer.grpc, demo.identityToken).recordConsent({
    tenantId: holder.tenantId,
    appId: holder.appId,
    userId: request.userId,
    grants,
    ttl: { seconds: 86_400n },
    idempotencyKey: 'bench methods',
  });
  const consentId = consent?.consentId ?? '';
  return (method: TokenMethod) => ({ ...request, method, consentId });
}

async function issue({ services, demo }: Stack, request: IssueRequest, count: number): Promise<string[]> {
  const issuer = clientOf(IssuerService, services.issuer.grpc, demo.identityToken);
  const tokens: string[] = [];
  const size = 500;
  while (tokens.length < count) {
    const requests = Array.from({ length: Math.min(size, count - tokens.length) }, () => request);
    const { results } = await issuer.batchIssueTokens({ requests });
    for (const { outcome } of results) {
      if (outcome.case !== 'issued') throw new WrongAnswer('a token was not issued');
      tokens.push(outcome.value.token);
    }
  }
  return tokens;
}

async function requireHonoured(stack: Stack, tokens: readonly string[]): Promise<void> {
  const validator = clientOf(ValidatorService, stack.services.validator.grpc, stack.demo.resourceServerToken);
  const requests = tokens.slice(0, batchSize).map((token) => validateRequest(stack.demo, token));
  const { results } = await validator.batchValidateTokens({ requests });
  const areActive = results.every(({ outcome }) => outcome.case === 'validated' && outcome.value.active);
  if (!areActive) throw new WrongAnswer('a token that is alive was refused');
}

interface Given {
  readonly issuing: IssueRequest;
  readonly seen: readonly string[];
  readonly seconds: number;
}

async function loadOf(kind: Kind, stack: Stack, { issuing, seen, seconds }: Given): Promise<Load> {
  const { services, demo } = stack;
  const about = { server: serverOf(services.validator), credential: demo.resourceServerToken };
  const one = (token: string) => encode(ValidateTokenRequestSchema, validateRequest(demo, token));
  const validating: Omit<Load, 'requests'> = {
    ...single,
    ...about,
    call: 'touchstone.v1.ValidatorService/ValidateToken',
  };
  switch (kind) {
    case 'validate': {
      // As many as are sent in the time: none comes twice.
      const fresh = await issue(stack, issuing, Math.ceil(freshRate * (seconds + 1.2)));
      return { ...validating, requests: () => fresh.map(one), isOnce: true };
    }
    case 'validateAgain':
      return { ...validating, requests: () => seen.map(one) };
    case 'batchAgain':
      return {
        ...about,
        concurrency: batchConcurrency,
        connections: batchConcurrency,
        call: 'touchstone.v1.ValidatorService/BatchValidateTokens',
        requests: () =>
          batchesOf(seen).map((chunk) =>
            encode(BatchValidateTokensRequestSchema, { requests: chunk.map((token) => validateRequest(demo, token)) }),
          ),
      };
    case 'issue':
      return {
        ...single,
        server: serverOf(services.issuer),
        credential: demo.identityToken,
        call: 'touchstone.v1.IssuerService/IssueToken',
        requests: () => [encode(IssueTokenRequestSchema, issuing)],
      };
  }
}
