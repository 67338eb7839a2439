import type { DescService } from '@bufbuild/protobuf';
import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import type { Readiness } from '../lifecycle/readiness.ts';
import type { OpenStreams } from './open-streams.ts';

interface Question {
  readonly service: string;
}
type Status = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
interface Answer {
  readonly status: Status;
}

/** The standard health service: it serves while the service is ready, for each of its services and as a whole. */
export function addHealth(
  server: Server,
  services: readonly DescService[],
  readiness: Readiness,
  streams: OpenStreams,
): void {
  const names = ['', ...services.map(({ typeName }) => typeName)];
  const now = (): Answer => ({ status: readiness.isReady ? 'SERVING' : 'NOT_SERVING' });
  const watches = new Set<ServerWritableStream<Question, Answer>>();
  readiness.onChange(() => {
    for (const watch of watches) watch.write(now());
  });
  server.addService(service, {
    check(call: ServerUnaryCall<Question, Answer>, callback: sendUnaryData<Answer>) {
      if (names.includes(call.request.service)) callback(null, now());
      else callback({ code: status.NOT_FOUND, details: 'there is no such service' });
    },
    list: (_call: unknown, callback: sendUnaryData<object>) =>
      callback(null, { statuses: Object.fromEntries(names.map((name) => [name, now()])) }),
    watch(call: ServerWritableStream<Question, Answer>) {
      streams.add(call);
      if (!names.includes(call.request.service)) {
        call.write({ status: 'SERVICE_UNKNOWN' });
        return;
      }
      watches.add(call);
      call.once('cancelled', () => watches.delete(call));
      call.write(now());
    },
  });
}
