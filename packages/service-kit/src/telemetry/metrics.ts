import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** The metrics of a service. Labels are few, and none is an id. */
export interface Metrics {
  /** @param outcome `OK`, or the reason of the failure. */
  callEnded(method: string, outcome: string, seconds: number): void;
  /** A counter of the service's own. */
  counter(name: string, help: string): { inc(by?: number): void };
  /** A gauge whose value is asked for when the metrics are read. */
  gauge(name: string, help: string, value: () => number): void;
  /** Calls the listener before the calls that have ended are read. */
  beforeRead(listener: () => void): void;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
  readonly contentType: string;
}

export function openMetrics(service: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  const listeners: (() => void)[] = [];
  const calls = new Histogram({
    name: 'touchstone_call_seconds',
    help: 'How long calls took, by method and outcome.',
    labelNames: ['method', 'outcome'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers: [registry],
    collect() {
      for (const listener of listeners) listener();
    },
  });
  const labelled = new Map<string, { observe(seconds: number): void }>();
  return {
    callEnded(method, outcome, seconds) {
      const key = `${method} ${outcome}`;
      const known = labelled.get(key) ?? calls.labels(method, outcome);
      labelled.set(key, known);
      known.observe(seconds);
    },
    counter: (name, help) => new Counter({ name, help, registers: [registry] }),
    gauge(name, help, value) {
      new Gauge({
        name,
        help,
        registers: [registry],
        collect() {
          this.set(value());
        },
      });
    },
    beforeRead: (listener) => void listeners.push(listener),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
