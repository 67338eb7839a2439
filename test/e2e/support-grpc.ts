import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';

type Bytes = Buffer;
const asIs = (bytes: Bytes): Bytes => bytes;

/** Bytes in, bytes out: calls of services for which there is no generated code, and of messages that are none. */
export function openRawClient(grpc: string) {
  const client = new Client(grpc, credentials.createInsecure());
  const metadataOf = (headers: Readonly<Record<string, string>>) => {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return metadata;
  };
  return {
    unary: (path: string, request: Bytes, headers: Readonly<Record<string, string>> = {}): Promise<Bytes> =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, asIs, asIs, request, metadataOf(headers), (error: ServiceError | null, answer) =>
          error ? reject(error) : resolve(answer as Bytes),
        );
      }),
    /** The first answer of a stream. */
    first: (path: string, request: Bytes): Promise<Bytes> =>
      new Promise((resolve, reject) => {
        const call = client.makeBidiStreamRequest(path, asIs, asIs, new Metadata());
        call.once('data', (answer: Bytes) => {
          resolve(answer);
          call.cancel();
        });
        call.once('error', reject);
        call.end(request);
      }),
    [Symbol.dispose]: () => client.close(),
  };
}

/** A message whose only field is this text. */
export const textField = (field: number, text: string): Buffer =>
  Buffer.concat([Buffer.from([field * 8 + 2, Buffer.byteLength(text)]), Buffer.from(text)]);
