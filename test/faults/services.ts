import type { ServiceProcess, Stack } from '@touchstone/local-stack';

/** Whatever has an HTTP port. */
type Served = Pick<ServiceProcess, 'http'>;

/** A page of a service's HTTP port. */
export async function page({ http }: Served, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${http}${path}`, { signal: AbortSignal.timeout(5_000) });
  return { status: response.status, text: await response.text() };
}

/** Whether a service is ready, and what speaks against it. */
export async function readiness(
  service: Served,
): Promise<{ ready: boolean; reasons: Readonly<Record<string, string>> }> {
  return JSON.parse((await page(service, '/readyz')).text);
}

/** The value of a metric without labels of its own; 0 when it has none. */
export async function metric(service: Served, name: string): Promise<number> {
  const { text } = await page(service, '/metrics');
  const line = text.split('\n').find((one) => one.startsWith(`${name}{`) || one.startsWith(`${name} `));
  return Number(line?.split(' ').at(-1) ?? 0);
}

export const allServices = ({ services }: Stack): ServiceProcess[] => Object.values(services);

export async function untilAllReady(services: readonly Pick<ServiceProcess, 'untilReady'>[]): Promise<void> {
  await Promise.all(services.map((service) => service.untilReady()));
}

/** Starts a service on its ports again, after it was killed; resolves once it is ready. */
export async function startAgain(stack: Stack, { name, grpc, http }: ServiceProcess): Promise<ServiceProcess> {
  const again = await stack.startAnother(name, [portOf(`http://${grpc}`), portOf(http)]);
  await again.untilReady();
  return again;
}

const portOf = (url: string): number => Number(new URL(url).port);

/** The names of those whose process is gone. */
export const dead = (services: readonly Pick<ServiceProcess, 'name' | 'pid'>[]): string[] =>
  services.filter(({ pid }) => !isAlive(pid)).map(({ name }) => name);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
