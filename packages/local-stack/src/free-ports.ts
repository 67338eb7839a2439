import getPort from 'get-port';
import type { ServicePorts, StackPorts } from './stack.ts';

/** Two ports that nobody listens on. */
export const freePair = async (): Promise<ServicePorts> => [await getPort(), await getPort()];

/** Ports for a whole stack that nobody listens on, so that stacks run side by side. */
export async function freePorts(): Promise<StackPorts> {
  const [issuer, validator, revocation, kafka] = [
    await freePair(),
    await freePair(),
    await freePair(),
    await freePair(),
  ];
  return { issuer, validator, revocation, kafka, postgres: await getPort() };
}
