import { type DescMethodUnary, type DescService, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import {
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { InvalidField } from '@touchstone/core';
import type { Endpoint } from '../call/pipeline.ts';
import { statusDetailsOf } from '../errors/error-details.ts';
import { failureOf } from '../errors/status-table.ts';
import { PortTaken } from '../lifecycle/port-taken.ts';

/** A service's methods with what serves them. */
export interface MountedService {
  readonly service: DescService;
  readonly endpoints: readonly (readonly [DescMethodUnary, Endpoint])[];
}

/** Where to listen. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** The variable that sets the port, for the message where it is taken. */
  readonly portSetting: string;
}

/** Makes a server; nothing listens yet. */
export function createGrpcServer(messageBytesMax: number): Server {
  return new Server({
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': 1_000,
    // Tells callers that are gone from those that are silent.
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
  });
}

/** Listens. @returns the port. @throws PortTaken */
export function listen(server: Server, { host, port, portSetting }: Listener): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(new PortTaken(port, portSetting, error));
      else resolve(bound);
    });
  });
}

/** Serves the endpoints over gRPC. */
export function mount(server: Server, { service, endpoints }: MountedService): void {
  const definition: Record<string, MethodDefinition<Request, Message>> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [method, serve] of endpoints) {
    definition[method.name] = methodDefinition(service.typeName, method);
    implementation[method.name] = (call: ServerUnaryCall<Request, Message>, callback: sendUnaryData<Message>) =>
      answer(call, callback, serve);
  }
  server.addService(definition as ServiceDefinition, implementation);
}

/** Stands for bytes that are no message: were the deserialiser to throw, grpc-js would call it a fault of the server. */
const noMessage = { $typeName: '' } as const;
type Request = Message | typeof noMessage;

function decode(method: DescMethodUnary, bytes: Uint8Array): Request {
  try {
    return fromBinary(method.input, bytes);
  } catch {
    return noMessage;
  }
}

function methodDefinition(typeName: string, method: DescMethodUnary): MethodDefinition<Request, Message> {
  return {
    path: `/${typeName}/${method.name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message) => Buffer.from(toBinary(method.input, message as Message)),
    requestDeserialize: (bytes) => decode(method, bytes),
    responseSerialize: (message) => asBuffer(toBinary(method.output, message)),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

async function answer(
  call: ServerUnaryCall<Request, Message>,
  callback: sendUnaryData<Message>,
  serve: Endpoint,
): Promise<void> {
  const { metadata } = call;
  const deadline = call.getDeadline();
  try {
    if (call.request === noMessage) throw new InvalidField('request', 'must be a message of this RPC, in protobuf');
    const response = await serve(call.request, {
      peer: call.getPeer(),
      deadline: deadline instanceof Date ? deadline.getTime() : deadline,
      header: (name) => metadata.get(name)[0] as string | undefined,
      onCancel: (listener) => void call.once('cancelled', listener),
    });
    callback(null, response);
  } catch (error) {
    const failure = failureOf(error);
    const trailers = new Metadata();
    trailers.set('grpc-status-details-bin', Buffer.from(statusDetailsOf(failure)));
    callback({ code: failure.code, details: failure.message, metadata: trailers });
  }
}
