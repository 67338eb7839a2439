import { create, type DescService, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  type HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '@touchstone/contracts/grpc';
import type { Readiness } from '../lifecycle/readiness.ts';
import { asBuffer, definitionOf } from './definition.ts';
import type { OpenStreams } from './open-streams.ts';

const serving = create(HealthCheckResponseSchema, { status: ServingStatus.SERVING });
const notServing = create(HealthCheckResponseSchema, { status: ServingStatus.NOT_SERVING });
const unknown = create(HealthCheckResponseSchema, { status: ServingStatus.SERVICE_UNKNOWN });
const encode = (answer: HealthCheckResponse): Buffer => asBuffer(toBinary(HealthCheckResponseSchema, answer));
const encoded = new Map([serving, notServing].map((answer) => [answer, encode(answer)]));

/** The standard health service: it serves while the service is ready, for each of its services and as a whole. */
export function addHealth(
  server: Server,
  services: readonly DescService[],
  readiness: Readiness,
  streams: OpenStreams,
): void {
  const names = ['', ...services.map(({ typeName }) => typeName)];
  const now = (): HealthCheckResponse => (readiness.isReady ? serving : notServing);
  const watches = new Set<ServerWritableStream<HealthCheckRequest, HealthCheckResponse>>();
  readiness.onChange(() => {
    for (const watch of watches) watch.write(now());
  });
  const { Check, ...others } = definitionOf(Health);
  // Balancers ask often, and there are two answers.
  const check = { ...Check, responseSerialize: (answer: HealthCheckResponse) => encoded.get(answer) };
  server.addService({ ...others, Check: check } as ServiceDefinition, {
    Check(
      { request }: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>,
      callback: sendUnaryData<HealthCheckResponse>,
    ) {
      if (names.includes(request.service)) callback(null, now());
      else callback({ code: status.NOT_FOUND, details: 'there is no such service' });
    },
    List: (_call: unknown, callback: sendUnaryData<MessageInitShape<typeof HealthListResponseSchema>>) =>
      callback(null, { statuses: Object.fromEntries(names.map((name) => [name, now()])) }),
    Watch(call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>) {
      streams.add(call);
      if (!names.includes(call.request.service)) {
        call.write(unknown);
        return;
      }
      watches.add(call);
      call.once('cancelled', () => watches.delete(call));
      call.write(now());
    },
  });
}
