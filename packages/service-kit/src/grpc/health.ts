import type { DescService, MessageInitShape } from '@bufbuild/protobuf';
import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import {
  Health,
  type HealthCheckRequest,
  type HealthCheckResponseSchema,
  type HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '@touchstone/contracts/grpc';
import type { Readiness } from '../lifecycle/readiness.ts';
import { definitionOf } from './definition.ts';
import type { OpenStreams } from './open-streams.ts';

type Answer = MessageInitShape<typeof HealthCheckResponseSchema>;

/** The standard health service: it serves while the service is ready, for each of its services and as a whole. */
export function addHealth(
  server: Server,
  services: readonly DescService[],
  readiness: Readiness,
  streams: OpenStreams,
): void {
  const names = ['', ...services.map(({ typeName }) => typeName)];
  const now = (): Answer => ({ status: readiness.isReady ? ServingStatus.SERVING : ServingStatus.NOT_SERVING });
  const watches = new Set<ServerWritableStream<HealthCheckRequest, Answer>>();
  readiness.onChange(() => {
    for (const watch of watches) watch.write(now());
  });
  server.addService(definitionOf(Health), {
    Check({ request }: ServerUnaryCall<HealthCheckRequest, Answer>, callback: sendUnaryData<Answer>) {
      if (names.includes(request.service)) callback(null, now());
      else callback({ code: status.NOT_FOUND, details: 'there is no such service' });
    },
    List: (_call: unknown, callback: sendUnaryData<MessageInitShape<typeof HealthListResponseSchema>>) =>
      callback(null, { statuses: Object.fromEntries(names.map((name) => [name, now()])) }),
    Watch(call: ServerWritableStream<HealthCheckRequest, Answer>) {
      streams.add(call);
      if (!names.includes(call.request.service)) {
        call.write({ status: ServingStatus.SERVICE_UNKNOWN });
        return;
      }
      watches.add(call);
      call.once('cancelled', () => watches.delete(call));
      call.write(now());
    },
  });
}
