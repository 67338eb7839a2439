import { hash } from 'node:crypto';

/** A document that anybody may read. */
export interface Document {
  readonly contentType: string;
  /** For how many seconds it may be kept. */
  readonly maxAge: number;
  readonly body: object;
}

/** Makes a document out of what the service has. */
export type Page<Context> = (context: Context) => Promise<Document>;

/** A document as it is sent: the same bytes to all who asked for it. */
export interface EncodedDocument extends Omit<Document, 'body'> {
  readonly bytes: Buffer;
  readonly etag: string;
}

/** Finds the document at a path; the service is not ready where there is none yet. */
export type PageOf = (path: string) => (() => Promise<EncodedDocument | null>) | undefined;

export function encodeDocument({ contentType, maxAge, body }: Document): EncodedDocument {
  const bytes = Buffer.from(JSON.stringify(body));
  return { contentType, maxAge, bytes, etag: `"${hash('sha256', bytes, 'base64url')}"` };
}

/**
 * Made once for all who ask together, and never before the rest from the last time is over: who asks meanwhile waits for the next.
 * Nobody gets what was read before he asked, so that a key is there for whoever has a token that it has just signed.
 */
export function paced<Made>(make: () => Promise<Made>, rest: () => Promise<void>): () => Promise<Made> {
  let next: Promise<Made> | null = null;
  let rested: Promise<void> = Promise.resolve();
  async function makeNext(): Promise<Made> {
    await rested;
    next = null;
    const made = make();
    rested = made.then(rest, rest);
    return made;
  }
  return () => {
    next ??= makeNext();
    return next;
  };
}

/** Those who ask while it is being made get the same one. */
export function singleFlight<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let underWay: Promise<Made> | null = null;
  return () => {
    underWay ??= make().finally(() => {
      underWay = null;
    });
    return underWay;
  };
}
