import { type EventEmitter, once } from 'node:events';
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import {
  type handleServerStreamingCall,
  logVerbosity,
  type Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Admitted, Endpoint } from '../call/pipeline.ts';
import { CannotListen } from '../lifecycle/cannot-listen.ts';
import { type Tls, tlsOptions } from '../lifecycle/tls.ts';
import type { AdmittedMetadata, InFlight } from './admission.ts';
import { asBuffer } from './definition.ts';
import { intercepting } from './intercepted-call.ts';
import { statusOf } from './status.ts';

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

/** Serves the endpoints over gRPC; nothing listens yet. */
export function createGrpcServer(
  mounted: readonly MountedService[],
  inFlight: InFlight,
  messageBytesMax: number,
): Server {
  // What it logs can hold metadata, such as the caller's credential.
  setLogVerbosity(logVerbosity.NONE);
  const admitting = new Map(
    mounted.flatMap(({ service, endpoints }) =>
      endpoints.map(([method, endpoint]) => [pathOf(service.typeName, method), { endpoint, inFlight }] as const),
    ),
  );
  const server = new Server({
    interceptors: [intercepting((path) => admitting.get(path))],
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': 1_000,
    // Nobody can ask for what it would count.
    'grpc.enable_channelz': 0,
    // Tells callers that are gone from those that are silent.
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
  });
  for (const one of mounted) mount(server, one);
  return server;
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

/** As grpc-js names where it listens. */
export const addressOf = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** Listens. @param tls null: plain text. @returns the port. @throws CannotListen */
export function listen(server: Server, listener: Listener, tls: Tls | null): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(
      addressOf(listener.host, listener.port),
      tls ? new TlsCredentials(tls) : ServerCredentials.createInsecure(),
      (error, bound) => {
        if (error) reject(new CannotListen(listener, error));
        else resolve(bound);
      },
    );
  });
}

function mount(server: Server, { service, endpoints }: MountedService): void {
  const definition: Record<string, MethodDefinition<Buffer, Uint8Array>> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [method, endpoint] of endpoints) {
    definition[method.name] = methodDefinition(service.typeName, method);
    implementation[method.name] = method.methodKind === 'server_streaming' ? streaming(endpoint) : answeredBefore;
  }
  server.addService(definition as ServiceDefinition, implementation);
}

const pathOf = (typeName: string, { name }: DescMethod): string => `/${typeName}/${name}`;

/** Requests are left as they came: their endpoint decodes them. */
function methodDefinition(typeName: string, method: DescMethod): MethodDefinition<Buffer, Uint8Array> {
  return {
    path: pathOf(typeName, method),
    requestStream: false,
    responseStream: method.methodKind === 'server_streaming',
    requestSerialize: (bytes) => bytes,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: asBuffer,
    responseDeserialize: (bytes) => bytes,
  };
}

/** Unary calls are answered by what intercepts them: see `UnaryListener`. */
const answeredBefore = (): never => {
  throw new Error('a unary call got through');
};

const streaming =
  (endpoint: Endpoint): handleServerStreamingCall<Buffer, Uint8Array> =>
  (call) =>
    stream(call, endpoint);

async function stream(call: ServerWritableStream<Buffer, Uint8Array>, endpoint: Endpoint): Promise<void> {
  try {
    for await (const response of endpoint.stream(admittedOf(call), call.request)) {
      if (!call.write(response)) await drained(call);
    }
    call.end();
  } catch (error) {
    (call as EventEmitter).emit('error', statusOf(error));
  }
}

const admittedOf = ({ metadata }: { readonly metadata: Metadata }): Admitted => (metadata as AdmittedMetadata).admitted;

/** Resolves once more can be written, or nobody reads any more. */
const drained = (call: EventEmitter): Promise<unknown> => Promise.race([once(call, 'drain'), once(call, 'cancelled')]);
