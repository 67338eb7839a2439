import { type EventEmitter, once } from 'node:events';
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  logVerbosity,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type StatusObject,
  type sendUnaryData,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { ShownCertificate } from '@touchstone/core';
import type { Endpoint, IncomingCall } from '../call/pipeline.ts';
import { statusDetailsOf } from '../errors/error-details.ts';
import { failureOf } from '../errors/status-table.ts';
import { PortTaken } from '../lifecycle/port-taken.ts';
import { shownCertificate, type Tls, tlsOptions } from '../lifecycle/tls.ts';
import { asBuffer } from './definition.ts';
import { promptStatus } from './prompt-status.ts';

/** A service's methods with what serves them. */
export interface MountedService {
  readonly service: DescService;
  readonly endpoints: readonly (readonly [DescMethod, Endpoint])[];
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
  // What it logs can hold metadata, such as the caller's credential.
  setLogVerbosity(logVerbosity.NONE);
  return new Server({
    interceptors: [promptStatus],
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': 1_000,
    // Nobody can ask for what it would count.
    'grpc.enable_channelz': 0,
    // Tells callers that are gone from those that are silent.
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
  });
}

/** TLS as grpc-js takes it, which has no way of its own to ask for certificates that need not be there. */
class TlsCredentials extends ServerCredentials {
  constructor(tls: Tls) {
    super(tlsOptions(tls), {});
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

/** Listens. @param tls null: plain text. @returns the port. @throws PortTaken */
export function listen(server: Server, { host, port, portSetting }: Listener, tls: Tls | null): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(
      host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
      tls ? new TlsCredentials(tls) : ServerCredentials.createInsecure(),
      (error, bound) => {
        if (error) reject(new PortTaken(port, portSetting, error));
        else resolve(bound);
      },
    );
  });
}

/** How many calls are being answered. */
export interface InFlight {
  count: number;
}

/** Serves the endpoints over gRPC. */
export function mount(server: Server, { service, endpoints }: MountedService, inFlight: InFlight): void {
  const definition: Record<string, MethodDefinition<Buffer, Uint8Array>> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [method, endpoint] of endpoints) {
    const answering = { endpoint, inFlight };
    definition[method.name] = methodDefinition(service.typeName, method);
    implementation[method.name] = method.methodKind === 'server_streaming' ? streaming(answering) : unary(answering);
  }
  server.addService(definition as ServiceDefinition, implementation);
}

/** Requests are left as they came: nobody's bytes are decoded before it is known whose they are. */
function methodDefinition(typeName: string, method: DescMethod): MethodDefinition<Buffer, Uint8Array> {
  return {
    path: `/${typeName}/${method.name}`,
    requestStream: false,
    responseStream: method.methodKind === 'server_streaming',
    requestSerialize: (bytes) => bytes,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: asBuffer,
    responseDeserialize: (bytes) => bytes,
  };
}

interface Answering {
  readonly endpoint: Endpoint;
  readonly inFlight: InFlight;
}

const unary =
  (answering: Answering): handleUnaryCall<Buffer, Uint8Array> =>
  (call, callback) =>
    answer(call, callback, answering);

const streaming =
  (answering: Answering): handleServerStreamingCall<Buffer, Uint8Array> =>
  (call) =>
    stream(call, answering);

async function answer(
  call: ServerUnaryCall<Buffer, Uint8Array>,
  callback: sendUnaryData<Uint8Array>,
  { endpoint, inFlight }: Answering,
): Promise<void> {
  inFlight.count++;
  try {
    const admitted = endpoint.admit(new GrpcCall(call));
    callback(null, await endpoint.answer(admitted instanceof Promise ? await admitted : admitted, call.request));
  } catch (error) {
    callback(statusOf(error));
  } finally {
    inFlight.count--;
  }
}

async function stream(
  call: ServerWritableStream<Buffer, Uint8Array>,
  { endpoint, inFlight }: Answering,
): Promise<void> {
  inFlight.count++;
  try {
    const admitted = await endpoint.admit(new GrpcCall(call));
    for await (const response of endpoint.stream(admitted, call.request)) {
      if (!call.write(response)) await drained(call);
    }
    call.end();
  } catch (error) {
    (call as EventEmitter).emit('error', statusOf(error));
  } finally {
    inFlight.count--;
  }
}

/** Resolves once more can be written, or nobody reads any more. */
const drained = (call: EventEmitter): Promise<unknown> => Promise.race([once(call, 'drain'), once(call, 'cancelled')]);

function statusOf(error: unknown): Partial<StatusObject> {
  const failure = failureOf(error);
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(statusDetailsOf(failure)));
  return { code: failure.code, details: failure.message, metadata };
}

/** What calls of all kinds have. */
type ServerCall = Pick<ServerUnaryCall<Buffer, Uint8Array>, 'getPeer' | 'getDeadline' | 'getAuthContext' | 'metadata'> &
  EventEmitter;

class GrpcCall implements IncomingCall {
  readonly #call: ServerCall;
  readonly peer: string;
  readonly deadline: number;

  constructor(call: ServerCall) {
    this.#call = call;
    this.peer = call.getPeer();
    const deadline = call.getDeadline();
    this.deadline = deadline instanceof Date ? deadline.getTime() : deadline;
  }

  header(name: string): string | undefined {
    return this.#call.metadata.get(name)[0] as string | undefined;
  }

  /** grpc-js tells of certificates that were verified, and of no others. */
  certificate(): ShownCertificate | null {
    return shownCertificate(this.#call.getAuthContext()?.sslPeerCertificate);
  }

  onCancel(listener: () => void): void {
    this.#call.once('cancelled', listener);
  }
}
