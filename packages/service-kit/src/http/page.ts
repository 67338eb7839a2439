/** A document that anybody may read. */
export interface Document {
  readonly contentType: string;
  /** For how many seconds it may be kept. */
  readonly maxAge: number;
  readonly body: object;
}

/** Makes a document out of what the service has. */
export type Page<Context> = (context: Context) => Promise<Document>;

/** Finds the document at a path; the service is not ready where there is none yet. */
export type PageOf = (path: string) => (() => Promise<Document | null>) | undefined;

/** Those who ask while it is being made get the same one: however many ask, the service does so once at a time. */
export function oneAtATime<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let underWay: Promise<Made> | null = null;
  return () => {
    underWay ??= make().finally(() => {
      underWay = null;
    });
    return underWay;
  };
}
