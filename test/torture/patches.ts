import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Target } from './history.ts';

/** A change to a service's source, made as it is loaded and nowhere else. */
export interface Patch {
  /** From the top of the repository. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

const root = new URL('../../', import.meta.url);

const after = (file: string, find: string, pause: string): Patch => ({
  file,
  find,
  replace: `${find} await globalThis.tortureAt('${pause}');`,
});
const before = (file: string, find: string, pause: string): Patch => ({
  file,
  find,
  replace: `await globalThis.tortureAt('${pause}'); ${find}`,
});

const issueToken = 'packages/core/src/issue/issue-token.ts';
const exchangeToken = 'packages/core/src/issue/exchange-token.ts';
const refreshToken = 'packages/core/src/issue/refresh-token.ts';
const tokenWriter = 'packages/store-postgres/src/token-writer.ts';
const validateToken = 'packages/core/src/validate/validate-token.ts';
const follower = 'packages/core/src/revisions/follower.ts';
const chain = 'packages/core/src/revisions/chain.ts';
const revisionCodec = 'packages/events/src/revision-codec.ts';

/** Pauses at the points where something can come between. */
export const pauses: readonly Patch[] = [
  after(issueToken, 'await ports.registry.find(command.tenantId, command.appId, command.audience);', 'authorised'),
  after(
    issueToken,
    'const given = command.consentId === null ? null : await findConsent(command, ports);',
    'consent read',
  ),
  after(issueToken, 'const birth = await ports.tokens.draw(command.tenantId, act.signal);', 'drawn'),
  before(
    issueToken,
    'if (!family && !liveTokens) return (await ports.tokens.insert(record, event, act.signal)) ? issued : null;',
    'signed',
  ),
  after(exchangeToken, 'const parent = await findParent(act, command, ports);', 'parent read'),
  after(exchangeToken, 'const consent = await findConsent(parent.record, ports);', 'its consent read'),
  after(
    exchangeToken,
    'const { sequence, now, server } = await ports.tokens.draw(parent.tenantId, act.signal);',
    'drawn for a child',
  ),
  before(exchangeToken, 'const inserted = await ports.tokens.insert(', 'child signed'),
  after(refreshToken, 'const honoured = await findHonoured(act, command, ports);', 'refresh token read'),
  before(refreshToken, 'await ports.revocations.write(', 'used before'),
  before(
    'packages/store-postgres/src/database.ts',
    "await committed(client, () => client.query('commit'));",
    'before commit',
  ),
  before(
    'packages/store-postgres/src/record-reader.ts',
    'const ofPartitions = rows.filter(([part]) => part === 2);',
    'after snapshot',
  ),
  before(
    'packages/store-postgres/src/revocation-writer.ts',
    'const locked = await completed(query, chain, atLock, intents);',
    'history locked',
  ),
  before(validateToken, 'return unread.map((one, i) => {', 'before fill'),
  {
    file: 'services/validator/src/rpc/validate-token.ts',
    find: 'andThen(validateToken(act, toValidateCommand(request), context.validating), encodeValidation);',
    replace: `Promise.resolve(validateToken(act, toValidateCommand(request), context.validating)).then(async (validation) => {
      await globalThis.tortureAt('between reply and use');
      return encodeValidation(validation);
    });`,
  },
  {
    file: 'services/validator/src/rpc/batch-validate-tokens.ts',
    find: 'return andThen(validateTokens(act, commands, context.validating), (validated) => {',
    replace: `return Promise.resolve(validateTokens(act, commands, context.validating)).then(async (validated) => {
      await globalThis.tortureAt('between reply and use');`,
  },
];

/** Where events can be lost on their way: see `losses.ts`. */
export const losses: readonly Patch[] = [
  {
    file: 'packages/events/src/relay-lane.ts',
    find: 'publisher.publishRevisions(batch)',
    replace: 'publisher.publishRevisions(globalThis.tortureLosses(batch))',
  },
];

/** Nobody brings revisions but the database, when it is asked. */
const withoutSources: Patch = {
  file: 'packages/replica/src/replica.ts',
  find: 'for (const source of sourcesOf(service, config, database, log))',
  replace: 'for (const source of [] ?? sourcesOf(service, config, database, log))',
};

/** Every answer is on the way for long. */
const lateAnswers: Patch = {
  file: follower,
  find: 'if (question.generation !== this.#generation) return null;',
  replace:
    'await new Promise((resolve) => setTimeout(resolve, 300)); if (question.generation !== this.#generation) return null;',
};

/** Guards of the protocol, each as what takes it out of the services. */
export const guards: Readonly<Record<string, readonly Patch[]>> = {
  'catches up before a fully consistent answer': [
    withoutSources,
    {
      file: 'packages/core/src/validate/consistent-records.ts',
      find: 'await follower.askUntilCovered(({ revision }) => reader.read(wanted, revision));',
      replace: '{ ...(await reader.read(wanted, follower.applied.revision)), generation: follower.generation };',
    },
  ],
  'draws the sequence after the request has come': [
    {
      file: tokenWriter,
      find: 'draw: (tenantId, signal) => draw(tenantId, signal),',
      replace: `draw: (tenantId) => {
        const kept = (globalThis.tortureKept ??= []);
        while (kept.length < 50) kept.push(draw(tenantId));
        return kept.shift();
      },`,
    },
  ],
  'answers once the token has been committed': [
    {
      file: tokenWriter,
      find: 'insert: (record, event, signal) => insert({ record, event }, signal),',
      replace: 'insert: async (record, event) => { insert({ record, event }).catch(() => {}); return true; },',
    },
  ],
  'looks at the consent when it inserts': [
    {
      file: tokenWriter,
      find: 'and (w.consent_id is null\n',
      replace: 'and (true or w.consent_id is null\n',
    },
  ],
  'looks at the registry when it inserts': [
    {
      file: tokenWriter,
      find: 'and (w.policy_version = 0',
      replace: 'and (true or w.policy_version = 0',
    },
  ],
  'looks at what a token was derived from when it decides': [
    {
      file: 'packages/core/src/revisions/watermarks.ts',
      find: "for (const ancestor of record.lineage) if (this.#covers('token', ancestor)) return true;",
      replace: '',
    },
  ],
  'keeps all that a token was derived from': [
    {
      file: exchangeToken,
      find: 'lineage: [ancestorOf(parent, opened.expiresAt), ...parent.lineage],',
      replace: 'lineage: [ancestorOf(parent, opened.expiresAt)],',
    },
  ],
  'looks at the registry when it inserts what was exchanged': [
    { file: exchangeToken, find: 'policyVersion: target.version,', replace: 'policyVersion: 0,' },
  ],
  'takes a refresh token once': [
    { file: tokenWriter, find: 'const before = use && (await takeUse(query, use));', replace: 'const before = null;' },
  ],
  'ends the family of a refresh token that is used again': [
    {
      file: refreshToken,
      find: "await ports.revocations.write(intentOfToken(act, record, 'a refresh token was used again'));",
      replace: '',
    },
  ],
  'notices that a signing key has ended': [
    {
      file: 'packages/token-methods/src/keys/signing-keys.ts',
      find: 'if (remembered?.version === version) return remembered.signer;',
      replace: 'if (remembered) return remembered.signer;',
    },
  ],
  'judges what it remembers by the watermarks of now': [
    {
      file: validateToken,
      find: 'decide(known.record, known.opened, watermarks, demandOf(command, proven), databaseNow, held);',
      replace:
        'decide(known.record, known.opened, { revokes: () => false }, demandOf(command, proven), databaseNow, held);',
    },
  ],
  'counts the age of what it knows from the sending of the question': [
    withoutSources,
    { file: follower, find: 'this.#prove(question.sentAt);', replace: 'this.#prove(instantOf(this.#clock));' },
    lateAnswers,
  ],
  'asks where what it knows is too old': [
    withoutSources,
    {
      file: 'packages/core/src/validate/consistency.ts',
      find: 'return age <= consistency.milliseconds;',
      replace: 'return true;',
    },
  ],
  'answers once it has come to the revision': [
    withoutSources,
    {
      file: 'packages/core/src/validate/consistency.ts',
      find: 'return follower.hasReached(consistency.revision) === true;',
      replace: 'return true;',
    },
  ],
  'notices that the database was put back': [
    {
      file: follower,
      find: 'return head.revision < question.revision || this.#contradicts(head);',
      replace: 'return false;',
    },
  ],
  'answers nothing once it has not committed for longer than the fence': [
    {
      file: 'packages/core/src/validate/presence.ts',
      find: 'if (!this.#isYoung(this.#provenAt)) throw new Fenced();',
      replace: '',
    },
  ],
  'finds complete only what every validator has applied': [
    withoutSources,
    lateAnswers,
    {
      file: 'packages/store-postgres/src/census.ts',
      find: 'min(c.applied_revision)',
      replace: 'max((select revision from history))',
    },
  ],
  'believes only what the installation has sealed': [
    {
      file: chain,
      find: 'if (this.#hash(sealed.revision, head.hash, sealed.content) !== sealed.hash) return null;',
      replace: '',
    },
  ],
  'applies nothing of what it knows in part': [
    {
      file: revisionCodec,
      find: 'decode: (bytes) => decodeExactly(bytes, contentOf, revisionCodec.encode),',
      replace: 'decode: anyContentOf,',
    },
    {
      file: revisionCodec,
      find: 'else cuts.push(cutOf(entry));',
      replace: 'else if (entry.case) cuts.push(cutOf(entry));',
    },
  ],
  'applies no revision before those that precede it': [
    lateAnswers,
    {
      file: chain,
      find: 'if (sealed.revision !== head.revision + 1 || sealed.previousHash !== head.hash) return null;',
      replace: 'if (sealed.revision <= head.revision) return null;',
    },
    {
      file: chain,
      find: 'if (this.#hash(sealed.revision, head.hash, sealed.content) !== sealed.hash) return null;',
      replace: 'if (this.#hash(sealed.revision, sealed.previousHash, sealed.content) !== sealed.hash) return null;',
    },
  ],
};

/** What no guard is taken out by, so that no answer may be wrong: what stands beside some of them, and nothing at all. */
export const controls: Readonly<Record<string, readonly Patch[]>> = {
  'does nothing else': [],
  'does nothing else, beside Kafka': [],
  'learns late, and only from the database': [withoutSources, lateAnswers],
};

/** The faults without which some guards are not missed, and some controls show nothing. */
export const showing: Readonly<Record<string, readonly string[]>> = {
  'does nothing else, beside Kafka': ['somebody lies on the topic', 'revisions are lost on their way to the topic'],
  'notices that the database was put back': ['the database is put back to an older state and goes on'],
  'answers nothing once it has not committed for longer than the fence': ['a primary that was cut off answers reads'],
  'believes only what the installation has sealed': ['somebody lies on the topic'],
  'applies nothing of what it knows in part': ['somebody lies on the topic'],
  'applies no revision before those that precede it': ['revisions are lost on their way to the topic'],
};

/** How races are run otherwise than usual. */
export interface Racing {
  /** What half of them are about. */
  readonly favoured?: Target['level'];
  /** How many go on until every validator knows of what was revoked in them. */
  readonly followedShare?: number;
  /** How long it rests between two validations, at most. */
  readonly restMilliseconds?: number;
}

/** The races without which some guards are missed by chance alone. */
export const racing: Readonly<Record<string, Racing>> = {
  'looks at the consent when it inserts': { favoured: 'consent' },
  // Whatever else ends what an app may do revokes what it has been given, too, whatever comes late.
  'looks at the registry when it inserts': { favoured: 'grant' },
  'looks at the registry when it inserts what was exchanged': { favoured: 'grant' },
  'finds complete only what every validator has applied': { followedShare: 1 },
};

/** The file's text with the patches in it. @throws when a patch does not fit any more */
export function patched(file: string, source: string, patches: readonly Patch[]): string {
  return patches
    .filter((patch) => patch.file === file)
    .reduce((text, { find, replace }) => {
      if (text.split(find).length !== 2) throw new Error(`${file} does not hold exactly once: ${find}`);
      return text.replace(find, () => replace);
    }, source);
}

/** Every patch fits the source as it is now. */
export const requireFitting = (patches: readonly Patch[]): void => {
  for (const file of new Set(patches.map((patch) => patch.file))) {
    patched(file, readFileSync(fileURLToPath(new URL(file, root)), 'utf8'), patches);
  }
};
