import { fromBinary } from '@bufbuild/protobuf';
import { WireType } from '@bufbuild/protobuf/wire';
import { type Timestamp, TimestampSchema, timestampMs } from '@bufbuild/protobuf/wkt';
import * as wire from '@touchstone/contracts/events';
import { type Field, FieldWriter } from '@touchstone/contracts/field-writer';
import { type PlainReader, readPlain, tagOf } from '@touchstone/contracts/plain-reader';
import type { Cut, CutKind, RevisionCodec, RevisionContent, TokenClass } from '@touchstone/core';
import { decodeExactly, Unreadable, wholeNumber, wholeText } from './exact.ts';

const revision = wire.RevisionContentSchema.field;
const entryOf = wire.RevisionEntrySchema.field;
const cutField = wire.CutSchema.field;
const release = wire.ReleaseChangeSchema.field;
const policy = wire.PolicyChangeSchema.field;

const writer = new FieldWriter();

/**
 * Revisions as touchstone.events.v1.RevisionContent. What it encodes it decodes, and it decodes nothing else: not a byte
 * more than it would have written itself, so that a revision of a newer version is never applied in part.
 */
export const revisionCodec: RevisionCodec = {
  encode: (content) => writer.written(() => writeContent(content)),
  decode: (bytes) => decodeExactly(bytes, contentOf, revisionCodec.encode),
};

const contentOf = (bytes: Uint8Array): RevisionContent => plainContentOf(bytes) ?? anyContentOf(bytes);

const kinds: Readonly<Record<CutKind, wire.CutKind>> = {
  token: wire.CutKind.TOKEN,
  user: wire.CutKind.USER,
  app: wire.CutKind.APP,
  app_user: wire.CutKind.APP_USER,
  tenant: wire.CutKind.TENANT,
  all: wire.CutKind.ALL,
  resource_server: wire.CutKind.RESOURCE_SERVER,
  consent: wire.CutKind.CONSENT,
  signing_key: wire.CutKind.SIGNING_KEY,
};

const tokenClasses: Readonly<Record<TokenClass, wire.TokenClass>> = {
  token: wire.TokenClass.TOKEN,
  credential: wire.TokenClass.CREDENTIAL,
};

const namesOf = <Name extends string>(numbers: Readonly<Record<Name, number>>): Readonly<Record<number, Name>> =>
  Object.fromEntries(Object.entries<number>(numbers).map(([name, number]) => [number, name as Name]));
const [kindNames, tokenClassNames] = [namesOf(kinds), namesOf(tokenClasses)];

function writeContent({ recordedAt, cuts, releases = [], policies = [] }: RevisionContent): void {
  if (cuts.length + releases.length + policies.length === 0) throw new Unreadable('a revision says nothing');
  writer.instant(revision.recordedAt, wholeNumber(recordedAt, 'recorded_at'));
  for (const cut of cuts) writeEntry(entryOf.cut, () => writeCut(cut));
  for (const audience of releases) {
    writeEntry(entryOf.releaseChange, () => writer.text(release.audience, named(audience, 'audience')));
  }
  for (const tenantId of policies) {
    writeEntry(entryOf.policyChange, () => writer.text(policy.tenantId, named(tenantId, 'tenant_id')));
  }
}

const writeEntry = (entry: Field, write: () => void): void =>
  writer.message(revision.entries, () => writer.message(entry, write));

function writeCut(cut: Cut): void {
  requireTarget(cut);
  writer.text(cutField.revocationId, wholeText(cut.revocationId, 'revocation_id'));
  writer.number(cutField.kind, kinds[cut.kind]);
  writer.text(cutField.key, wholeText(cut.key, 'key'));
  writer.number(cutField.tokenClass, tokenClasses[cut.tokenClass]);
  if (cut.ceiling !== null) writer.optionalNumber(cutField.ceiling, wholeNumber(cut.ceiling, 'ceiling'));
  writer.text(cutField.sparedTokenId, wholeText(cut.sparedTokenId ?? '', 'spared_token_id'));
  if (cut.coversUntil !== null) writer.instant(cutField.coversUntil, wholeNumber(cut.coversUntil, 'covers_until'));
}

/** Most revisions are of cuts alone, and each replica reads each of them: a third of what it takes to make the message first. */
const plainContentOf = readPlain((from): RevisionContent => {
  let recordedAt = 0;
  const cuts: Cut[] = [];
  from.fields((tag) => {
    if (tag === tags.recordedAt) recordedAt = readInstant(from);
    else if (tag === tags.entry) from.message(() => readEntry(from, cuts));
    else from.require(false);
  });
  from.require(cuts.length > 0);
  return { recordedAt, cuts };
});

const inside = (field: Field): number => tagOf(field, WireType.LengthDelimited);
const tags = {
  ...{ recordedAt: inside(revision.recordedAt), entry: inside(revision.entries), cut: inside(entryOf.cut) },
  ...{ revocationId: inside(cutField.revocationId), key: inside(cutField.key) },
  ...{ kind: tagOf(cutField.kind, WireType.Varint), tokenClass: tagOf(cutField.tokenClass, WireType.Varint) },
  ...{ ceiling: tagOf(cutField.ceiling, WireType.Varint), sparedTokenId: inside(cutField.sparedTokenId) },
  coversUntil: inside(cutField.coversUntil),
  seconds: tagOf(TimestampSchema.field.seconds, WireType.Varint),
  nanos: tagOf(TimestampSchema.field.nanos, WireType.Varint),
};

function readEntry(from: PlainReader, cuts: Cut[]): void {
  from.fields((tag) => {
    from.require(tag === tags.cut);
    const cut = from.message(readCut);
    if (cut) cuts.push(cut);
  });
}

function readCut(from: PlainReader): Cut {
  let [revocationId, key, sparedTokenId, kind, tokenClass] = ['', '', '', 0, 0];
  let [ceiling, coversUntil] = [null as number | null, null as number | null];
  from.fields((tag) => {
    if (tag === tags.revocationId) revocationId = from.text();
    else if (tag === tags.kind) kind = from.number();
    else if (tag === tags.key) key = from.text();
    else if (tag === tags.tokenClass) tokenClass = from.number();
    else if (tag === tags.ceiling) ceiling = from.number();
    else if (tag === tags.sparedTokenId) sparedTokenId = from.text();
    else if (tag === tags.coversUntil) coversUntil = readInstant(from);
    else from.require(false);
  });
  const [kindName, className] = [kindNames[kind], tokenClassNames[tokenClass]];
  from.require(kindName !== undefined && className !== undefined);
  return {
    ...{ revocationId, key, ceiling, coversUntil, sparedTokenId: sparedTokenId || null },
    ...{ kind: kindName as CutKind, tokenClass: className as TokenClass },
  };
}

/** Milliseconds since 1970: a part of one shows when it is encoded again. */
function readInstant(from: PlainReader): number {
  let [seconds, nanos] = [0, 0];
  from.message(() =>
    from.fields((tag) => {
      if (tag === tags.seconds) seconds = from.number();
      else if (tag === tags.nanos) nanos = from.number();
      else from.require(false);
    }),
  );
  return seconds * 1_000 + Math.floor(nanos / 1_000_000);
}

function anyContentOf(bytes: Uint8Array): RevisionContent {
  const { recordedAt, entries } = fromBinary(wire.RevisionContentSchema, bytes);
  if (entries.length === 0) throw new Unreadable('a revision says nothing');
  const cuts: Cut[] = [];
  const releases: string[] = [];
  const policies: string[] = [];
  for (const { entry } of entries) {
    if (entry.case === 'releaseChange') releases.push(named(entry.value.audience, 'audience'));
    else if (entry.case === 'policyChange') policies.push(named(entry.value.tenantId, 'tenant_id'));
    else cuts.push(cutOf(entry));
  }
  return {
    recordedAt: timeOf(recordedAt, 'recorded_at'),
    cuts,
    ...(releases.length > 0 ? { releases } : {}),
    ...(policies.length > 0 ? { policies } : {}),
  };
}

/** A name that got lost must not pass for none. */
function named(name: string, field: string): string {
  if (name === '') throw new Unreadable(`a change has no ${field}`);
  return wholeText(name, field);
}

function cutOf(entry: wire.RevisionEntry['entry']): Cut {
  if (entry.case !== 'cut') throw new Unreadable('an entry is empty or of an unknown kind');
  const { revocationId, key, ceiling, sparedTokenId, coversUntil, ...cut } = entry.value;
  const kind = nameOf(kindNames, cut.kind, 'kind');
  requireTarget({ kind, key, revocationId });
  return {
    revocationId,
    kind,
    key,
    tokenClass: nameOf(tokenClassNames, cut.tokenClass, 'token_class'),
    ceiling: ceiling === undefined ? null : wholeNumber(ceiling, 'ceiling'),
    sparedTokenId: sparedTokenId || null,
    coversUntil: coversUntil ? timeOf(coversUntil, 'covers_until') : null,
  };
}

/** A key that got lost must not widen a cut, nor one too many narrow it. */
function requireTarget({ kind, key, revocationId }: Pick<Cut, 'kind' | 'key' | 'revocationId'>): void {
  if ((key === '') !== (kind === 'all')) throw new Unreadable(`a cut at ${kind} has the wrong key`);
  if (revocationId === '') throw new Unreadable('a cut is of no revocation');
}

function nameOf<Name extends string>(names: Readonly<Record<number, Name>>, number: number, field: string): Name {
  const name = names[number];
  if (name === undefined) throw new Unreadable(`${field} is ${number}`);
  return name;
}

function timeOf(timestamp: Timestamp | undefined, field: string): number {
  if (!timestamp) throw new Unreadable(`${field} is missing`);
  return wholeNumber(timestampMs(timestamp), field);
}
