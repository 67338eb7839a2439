import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type Timestamp, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import * as wire from '@touchstone/contracts/events';
import type { Cut, CutKind, RevisionCodec, RevisionContent, TokenClass } from '@touchstone/core';
import { decodeExactly, Unreadable, wholeNumber, wholeText } from './exact.ts';

/**
 * Revisions as touchstone.events.v1.RevisionContent. What it encodes it decodes, and it decodes nothing else: not a byte
 * more than it would have written itself, so that a revision of a newer version is never applied in part.
 */
export const revisionCodec: RevisionCodec = {
  encode: (content) => toBinary(wire.RevisionContentSchema, messageOf(content)),
  decode: (bytes) => decodeExactly(bytes, contentOf, revisionCodec.encode),
};

/** When the revision was recorded, in milliseconds since 1970, whatever else it says; null where that can't be read. */
export function recordedAtOf(content: Uint8Array): number | null {
  try {
    return timeOf(fromBinary(wire.RevisionContentSchema, content).recordedAt, 'recorded_at');
  } catch {
    return null;
  }
}

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

function messageOf({ recordedAt, cuts, releases = [], policies = [] }: RevisionContent): wire.RevisionContent {
  if (cuts.length + releases.length + policies.length === 0) throw new Unreadable('a revision says nothing');
  const entries = [
    ...cuts.map((cut) => ({ entry: { case: 'cut' as const, value: cutMessageOf(cut) } })),
    ...releases.map((audience) => ({
      entry: { case: 'releaseChange' as const, value: { audience: named(audience, 'audience') } },
    })),
    ...policies.map((tenantId) => ({
      entry: { case: 'policyChange' as const, value: { tenantId: named(tenantId, 'tenant_id') } },
    })),
  ];
  return create(wire.RevisionContentSchema, { recordedAt: timestampOf(recordedAt, 'recorded_at'), entries });
}

function cutMessageOf(cut: Cut): MessageInitShape<typeof wire.CutSchema> {
  requireTarget(cut);
  return {
    revocationId: wholeText(cut.revocationId, 'revocation_id'),
    kind: kinds[cut.kind],
    key: wholeText(cut.key, 'key'),
    tokenClass: tokenClasses[cut.tokenClass],
    ...(cut.ceiling !== null && { ceiling: BigInt(wholeNumber(cut.ceiling, 'ceiling')) }),
    ...(cut.sparedTokenId !== null && { sparedTokenId: wholeText(cut.sparedTokenId, 'spared_token_id') }),
    ...(cut.coversUntil !== null && { coversUntil: timestampOf(cut.coversUntil, 'covers_until') }),
  };
}

function contentOf(bytes: Uint8Array): RevisionContent {
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
  const kind = nameOf(kinds, cut.kind, 'kind');
  requireTarget({ kind, key, revocationId });
  return {
    revocationId,
    kind,
    key,
    tokenClass: nameOf(tokenClasses, cut.tokenClass, 'token_class'),
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

function nameOf<Name extends string>(numbers: Readonly<Record<Name, number>>, number: number, field: string): Name {
  for (const name in numbers) if (numbers[name] === number) return name;
  throw new Unreadable(`${field} is ${number}`);
}

const timestampOf = (time: number, field: string): Timestamp => timestampFromMs(wholeNumber(time, field));

function timeOf(timestamp: Timestamp | undefined, field: string): number {
  if (!timestamp) throw new Unreadable(`${field} is missing`);
  return wholeNumber(timestampMs(timestamp), field);
}
