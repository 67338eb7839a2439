import { bootstrapActor } from '../access/bootstrap.ts';
import type { AuditEvent } from '../audit/audit-event.ts';
import { ReplayRefused } from '../replay/ports.ts';
import type { Chain } from '../revisions/chain.ts';
import type { Cut, Head, RevisionContent, SealedRevision } from '../revisions/revision.ts';
import type { Mark } from '../revisions/watermarks.ts';
import { type LockedHistory, raiseAll, requireOurs } from './compose-revision.ts';
import type { DisabledKind } from './ports.ts';

/** A revision, and what it says. */
export interface OpenedRevision {
  readonly sealed: SealedRevision;
  readonly content: RevisionContent;
}

/** What is to be written, all of it in the transaction that holds the lock. */
export interface ComposedReplay {
  readonly head: Head;
  readonly digest: string;
  readonly mac: string;
  readonly marks: readonly Mark[];
  readonly disabled: readonly { readonly what: DisabledKind; readonly id: string; readonly revision: number }[];
  /** The highest of their ceilings: what is issued from now on must be above it. */
  readonly ceiling: number;
  readonly event: AuditEvent;
}

/** @throws ReplayRefused unless they continue the history from this head on. */
export function openAll(head: Head, revisions: readonly SealedRevision[], chain: Chain): OpenedRevision[] {
  let last = head;
  return revisions.map((sealed) => {
    const content = chain.continues(last, sealed);
    if (!content) throw new ReplayRefused(`the database's history does not go on with revision ${sealed.revision}`);
    last = sealed;
    return { sealed, content };
  });
}

/** Appends revisions to a history as they were in it. */
export function composeReplay(
  locked: Pick<LockedHistory, 'head' | 'digest' | 'mac' | 'marks'>,
  revisions: readonly OpenedRevision[],
  chain: Chain,
): ComposedReplay {
  requireOurs(locked, chain);
  const cuts = revisions.flatMap(({ content }) => content.cuts);
  const { revision, hash } = revisions.at(-1)?.sealed ?? locked.head;
  const head = { revision, hash };
  const { marks, digest } = raiseAll(locked, head, cuts, chain);
  const disabled = revisions.flatMap(({ sealed, content }) =>
    content.cuts.flatMap((cut) => {
      const what = disabledBy(cut);
      return what ? { what, id: cut.key, revision: sealed.revision } : [];
    }),
  );
  const ceiling = cuts.reduce((highest, cut) => Math.max(highest, cut.ceiling ?? 0), 0);
  const act = {
    type: 'registry_changed',
    what: 'history',
    id: String(revision),
    change: 'replayed',
    reason: '',
  } as const;
  return {
    head,
    digest,
    mac: chain.sealHistory(head, digest),
    marks,
    disabled,
    ceiling,
    event: { tenantId: null, actor: bootstrapActor, act },
  };
}

/** What is dead for good has been disabled: whoever revokes only what it has sets a ceiling. */
function disabledBy({ kind, ceiling, tokenClass }: Cut): DisabledKind | null {
  if (ceiling !== null || tokenClass !== 'token') return null;
  switch (kind) {
    case 'tenant':
    case 'app':
    case 'resource_server':
    case 'consent':
    case 'signing_key':
      return kind;
    default:
      return null;
  }
}
