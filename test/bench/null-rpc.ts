// The yardstick: an RPC on bare grpc-js, as it answers unary calls, under this Node. Echoes the bytes of each request.
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js';

const raw = (bytes: Buffer) => bytes;
const path = '/touchstone.bench.Null/Echo';
const shape = { path, requestStream: false, responseStream: false } as const;
const codec = { requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw };
const echo: handleUnaryCall<Buffer, Buffer> = (call, done) => done(null, call.request);
// The services do without it, too: it would keep account of each call.
const server = new Server({ 'grpc.enable_channelz': 0 });
server.addService({ Echo: { ...shape, ...codec } }, { Echo: echo });
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => console.log(error ?? port));
process.stdin.resume().on('end', () => process.exit()); // Whoever started this process is gone.
