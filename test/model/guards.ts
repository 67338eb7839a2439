/** What the protocol's promises rest on. Each can be taken out of the model, and then one of them is broken. */
export const guards = {
  drawnOnDemand: 'a sequence number is drawn when a token is asked for: nobody keeps a block of them',
  drawnHere: 'a token is inserted only on the server that its sequence number was drawn on',
  standingAtInsert: 'a token is inserted only while what it is issued under stands',
  lockedBeforeReading: 'the history is locked before the sequence and the marks are read',
  neverLowered: 'a mark is raised, never lowered',
  infiniteCeiling: 'what is disabled has no ceiling',
  lineageChecked: 'a token falls with the one that it was derived from',
  oneStatement: 'records and tail are read in one statement',
  joinsUnsentOnly: 'a request joins no batch that has been sent',
  catchUp: 'what was missed is applied before anyone is answered',
  inOrder: 'a revision is applied only after the one before it',
  byHash: 'histories are told apart by their hashes, not by their numbers alone',
  numberWentBack: 'a history that is shorter than when it was asked about is another one',
  watermarksDropped: 'the watermarks of another history are dropped',
  serverMet: 'what was remembered is forgotten when another server answers',
  askedAgain: 'an answer to a question of another generation is not absorbed',
  setOfSameGeneration: 'the cache takes no record of another generation',
  judgedAnew: 'a cached record is judged by the watermarks of now',
  absenceForgotten: 'that there is no such token is not remembered',
  expiryOfCached: 'a cached record expires',
  provenFromSending: 'what is known is as old as the sending of the question',
  databaseTimeFromSending: "the database's clock goes on from the sending of the question",
  wallClockCounts: 'time that passes while the machine is suspended counts',
  monotonicClockCounts: 'time that passes counts though the wall clock is set back',
  forgottenAfterExpiry: 'a mark is forgotten once all that it covers has expired',
  beatCommitted: 'the beat is a commit, which a primary that was cut off cannot make',
  onlyInForceBelieved: 'an answer of another server than the one that took the last commit is not believed',
  fencedAtCall: 'the fence is looked at when a call comes',
  fencedAtAnswer: 'the fence is looked at again before the answer',
  everyLiveAwaited: 'a revocation is complete only once every validator has it that may still answer',
  countedAgain: 'whoever the census had ceased to count commits its row once more before it answers',
  writesHeldBack: 'a promoted primary takes no writes until the fence has run out',
  repeatsHeldBack: 'a promoted primary answers no repeated call until the fence has run out',
  releaseLookedAtAgain: 'an answer that came with a change of what is shown is made again',
  releaseOfThisHistory: 'what another history says is shown is not',
} as const;

export type Guard = keyof typeof guards;
export type Guards = Readonly<Record<Guard, boolean>>;

export const guardNames = Object.keys(guards) as Guard[];
export const allGuards = Object.fromEntries(guardNames.map((guard) => [guard, true])) as Record<Guard, boolean>;
