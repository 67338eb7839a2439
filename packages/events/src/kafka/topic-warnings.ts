/** A topic as it is. */
export interface TopicState {
  /** The number of copies of each partition. */
  readonly partitions: readonly number[];
  readonly settings: Readonly<Record<string, string>>;
}

/** What a broker can compress by, and replicas and the replay of a restored database can't read. */
const unreadable = ['snappy', 'lz4'];

const oneYear = 365 * 86_400_000;

/** What a broker takes unless told otherwise, and the relay's batches count on. */
const messageBytesMin = 1_048_576;

/** What can lose events, and what to do about it. */
export function warningsAbout(topic: string, role: 'revocations' | 'audit', state: TopicState | null): string[] {
  if (!state) return [`topic ${topic} does not exist`];
  const warnings = [
    ...keepingWarnings(role, state.settings),
    ...copiesWarnings(state),
    ...(role === 'revocations' && state.partitions.length !== 1
      ? [`it has ${state.partitions.length} partitions, and only the first is used: set it up anew with one`]
      : []),
  ];
  return warnings.map((warning) => `topic ${topic}: ${warning}`);
}

function copiesWarnings({ partitions, settings }: TopicState): string[] {
  const copies = Math.min(...partitions);
  const inSync = Number(settings['min.insync.replicas']);
  const warnings: string[] = [];
  if (copies < 3)
    warnings.push(`it keeps ${copies} of at least 3 copies: raise its replication factor, on as many brokers`);
  if (inSync < 2) warnings.push('what one broker alone has stored counts as stored: set min.insync.replicas=2');
  return warnings;
}

function keepingWarnings(role: 'revocations' | 'audit', settings: TopicState['settings']): string[] {
  const retention = Number(settings['retention.ms']);
  const warnings: string[] = [];
  if (settings['unclean.leader.election.enable'] === 'true')
    warnings.push('a broker that missed events may lead it: set unclean.leader.election.enable=false');
  if (settings['cleanup.policy'] !== 'delete')
    warnings.push(`its cleanup.policy is ${settings['cleanup.policy']}, which removes events: set it to delete`);
  if (unreadable.includes(settings['compression.type'] ?? ''))
    warnings.push(`what is compressed by ${settings['compression.type']} is not read: set compression.type=producer`);
  if (Number(settings['max.message.bytes']) < messageBytesMin)
    warnings.push('it may not take the batches of a backlog: set max.message.bytes=10485760');
  if (settings['retention.bytes'] !== '-1') warnings.push('it forgets events beyond a size: set retention.bytes=-1');
  if (role === 'revocations' && retention !== -1)
    warnings.push(`it forgets revisions after ${daysText(retention)}: set retention.ms=-1`);
  if (role === 'audit' && retention !== -1 && retention < oneYear)
    warnings.push(`it forgets audit events after ${daysText(retention)}: raise retention.ms, or set it to -1`);
  return warnings;
}

const daysText = (milliseconds: number): string => `${(milliseconds / 86_400_000).toFixed(1)} days`;
