import type { DescService } from '@bufbuild/protobuf';
import type { Server } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { Readiness } from '../lifecycle/readiness.ts';

/** The standard health service: it serves while the service is ready, for each of its services and as a whole. */
export function addHealth(server: Server, services: readonly DescService[], readiness: Readiness): void {
  const health = new HealthImplementation({});
  const tell = (isReady: boolean) => {
    for (const name of ['', ...services.map((service) => service.typeName)]) {
      health.setStatus(name, isReady ? 'SERVING' : 'NOT_SERVING');
    }
  };
  tell(readiness.isReady);
  readiness.onChange(tell);
  health.addToServer(server);
}
