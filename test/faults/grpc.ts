import { connect } from 'node:http2';
import { create, type DescMethodUnary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';

const names: Readonly<Record<number, string>> = { 1: 'SERVING', 2: 'NOT_SERVING' };
// The request of the health service names no service: it is empty. The response is one enum: its tag, then its value.
const asIs = (bytes: Buffer) => bytes;
const stateOf = (answer: Buffer | undefined) => names[answer?.[1] ?? 0] ?? 'UNKNOWN';

/** What the standard health service of gRPC says of the whole service. */
export function grpcHealth({ grpc }: { readonly grpc: string }): Promise<string> {
  const client = new Client(grpc, credentials.createInsecure());
  return new Promise<string>((resolve, reject) => {
    const options = { deadline: Date.now() + 5_000 };
    client.makeUnaryRequest('/grpc.health.v1.Health/Check', asIs, asIs, Buffer.alloc(0), options, (error, answer) => {
      if (error) reject(error);
      else resolve(stateOf(answer));
    });
  }).finally(() => client.close());
}

/** Watches it, as load balancers do; the states come in order. */
export function watchHealth({ grpc }: { readonly grpc: string }): { readonly states: string[] } & Disposable {
  const client = new Client(grpc, credentials.createInsecure());
  const states: string[] = [];
  const stream = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', asIs, asIs, Buffer.alloc(0));
  stream.on('data', (answer: Buffer) => states.push(stateOf(answer)));
  stream.on('error', () => {});
  return { states, [Symbol.dispose]: () => client.close() };
}

/** Sends one call with a deadline of its own wording, as no client would; resolves with the number of its status. */
export function rawStatus<Method extends DescMethodUnary>(
  grpc: string,
  method: Method,
  request: MessageInitShape<Method['input']>,
  { credential, timeout }: { readonly credential: string; readonly timeout: string },
): Promise<number> {
  const session = connect(`http://${grpc}`);
  const body = toBinary(method.input, create(method.input, request));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return new Promise<number>((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': `/${method.parent.typeName}/${method.name}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': timeout,
      authorization: `Bearer ${credential}`,
    });
    const take = (headers: Record<string, unknown>) => {
      if ('grpc-status' in headers) resolve(Number(headers['grpc-status']));
    };
    stream.on('response', take).on('trailers', take).on('error', reject).resume();
    stream.end(Buffer.concat([head, body]));
  }).finally(() => session.close());
}
