import { begin, exchangeOf, requireCurrent } from './answer.ts';
import { canReach } from './database.ts';
import { exchangeSteps } from './exchange.ts';
import { adopt, ageOf, apply, sendLoad } from './follower.ts';
import { requestOf } from './promises.ts';
import type { Configuration, Exchange, Head, Invariant, Request, State, Validator } from './state.ts';
import type { Take } from './take.ts';

type Act = ((next: State, mine: Validator) => void) | ((next: State, mine: Validator) => Invariant | null);

/** What the validator can do next, and what callers and sources can do to it. */
export function validatorSteps(configuration: Configuration, state: State, index: number, take: Take): void {
  const validator = state.validators[index] as Validator;
  const step = (name: string, act: Act) =>
    take(`validator ${index}: ${name}`, (next) => act(next, next.validators[index] as Validator));

  if (validator.load) step('what was loaded comes', (next, mine) => adopt(configuration, next, mine));
  if (!validator.isUp) {
    if (!validator.load) step('starts, loads', (next, mine) => sendLoad(next, mine));
    return;
  }
  if (configuration.feed) feedSteps(configuration, state, validator, step);
  if (validator.side === 'former' && canReach(state.primary, state.now)) {
    step('reaches the new primary', (_, mine) => {
      mine.side = 'primary';
    });
  }
  requestSteps(configuration, state, validator, step);
  askingSteps(configuration, state, validator, step);
  for (const [at, exchange] of validator.exchanges.entries()) {
    exchangeSteps(configuration, state, validator, exchange, (name, act) =>
      step(`${exchange.kind}: ${name}`, (next, mine) => act(next, mine, mine.exchanges[at] as Exchange)),
    );
  }
}

type StepOf = (name: string, act: Act) => void;

/** Any revision of any history: whatever was lost, doubled or reordered before it. */
function feedSteps(configuration: Configuration, state: State, validator: Validator, step: StepOf): void {
  for (const history of [state.primary.history, state.lost]) {
    for (let revision = 1; revision <= history.length; revision++) {
      const sealed = history.slice(0, revision);
      // The rest of them does nothing.
      if (revision <= validator.applied.length) continue;
      step(`the feed brings revision ${revision} (revocation ${sealed.at(-1)})`, (next, mine) =>
        apply(configuration, next, mine, sealed),
      );
    }
  }
}

function requestSteps(configuration: Configuration, state: State, validator: Validator, step: StepOf): void {
  const { waiting, waitingForRefresh, exchanges } = validator;
  const underWay = exchanges.reduce(
    (sum, { requests }) => sum + requests.length,
    waiting.length + waitingForRefresh.length,
  );
  if (underWay >= configuration.requestsMax) return;
  if (configuration.guards.fencedAtCall && !requireCurrent(configuration, state, validator)) return;
  for (const [token, { phase }] of state.tokens.entries()) {
    if (phase === 'unasked' || phase === 'failed') continue;
    for (const consistency of configuration.consistencies) {
      const revisions = consistency === 'at_least_revision' ? revisionsToName(state) : [[]];
      for (const revision of revisions) {
        const request = requestOf(configuration, state, token, consistency, revision);
        const wanted = consistency === 'at_least_revision' ? `${consistency} ${revision.length}` : consistency;
        validationSteps(configuration, request, `token ${token}, ${wanted}`, step, validator);
      }
    }
  }
}

/** As callers of IssueToken and of revocations were told, and still know after a restore. */
const revisionsToName = ({ primary: { history } }: State): Head[] => [
  [],
  ...history.map((_, index) => history.slice(0, index + 1)),
];

function validationSteps(
  configuration: Configuration,
  request: Request,
  name: string,
  step: StepOf,
  { exchanges }: Validator,
): void {
  step(name, (next, mine) => begin(configuration, next, mine, request));
  if (configuration.guards.joinsUnsentOnly) return;
  for (const [at, { kind, read }] of exchanges.entries()) {
    if (kind !== 'read' || read) continue;
    step(`${name}, joins a batch that was sent`, (_, mine) => {
      const joined = mine.exchanges[at] as Exchange;
      joined.requests = [...joined.requests, request];
    });
  }
}

/** The small question, and the beat. */
function askingSteps(configuration: Configuration, state: State, validator: Validator, step: StepOf): void {
  const isUnderWay = (kind: Exchange['kind']) => validator.exchanges.some((one) => one.kind === kind);
  if (validator.waitingForRefresh.length > 0 && !isUnderWay('refresh')) {
    step('asks how old it is', (next, mine) => {
      mine.exchanges.push(exchangeOf('refresh', mine.waitingForRefresh, next, mine));
      mine.waitingForRefresh = [];
    });
  }
  if (configuration.fence !== null && !isUnderWay('beat')) {
    const last = validator.presenceProvenAt;
    // One a tick is enough.
    if (last && ageOf(configuration, state, validator, last) === 0) return;
    step('sends its beat', (next, mine) => {
      mine.exchanges.push(exchangeOf('beat', [], next, mine));
    });
  }
}
