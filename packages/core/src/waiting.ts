import type { Signal } from './access/act.ts';
import { Cancelled, Overloaded } from './errors.ts';

/** A request whose turn has not come, and whoever waits for its result. */
export interface Waiting<Request, Result> {
  readonly request: Request;
  readonly signal: Signal | undefined;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

interface WaitingOptions<Request> {
  readonly keyOf: (request: Request) => string;
  /** How much a request counts. */
  readonly sizeOf: (request: Request) => number;
  /** The most that waits. Beyond that the key gives way of which the most does: its last ones are refused. */
  readonly sizeMax: number;
}

/** What waits: the requests of a key in the order in which they came, and the keys in turns. */
export class WaitingInTurns<Request, Result> {
  readonly #options: WaitingOptions<Request>;
  /** None is empty; the one whose turn it is comes first. */
  readonly #queues = new Map<string, Queue<Request, Result>>();
  #size = 0;

  constructor(options: WaitingOptions<Request>) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#queues.size === 0;
  }

  /** Or refuses it, where there is no room. */
  add(one: Waiting<Request, Result>): void {
    const { keyOf, sizeOf } = this.#options;
    const key = keyOf(one.request);
    const queue = this.#queues.get(key) ?? new Queue(sizeOf);
    if (!this.#makeRoom(sizeOf(one.request), queue)) {
      one.reject(new Overloaded());
      return;
    }
    this.#push(queue, one);
    if (queue.length === 1) this.#queues.set(key, queue);
  }

  /** Takes those whose turn it is, as many as are together no larger than this, and one at any rate. */
  take(sizeMax: number): Waiting<Request, Result>[] {
    const taken: Waiting<Request, Result>[] = [];
    let size = 0;
    // A key whose turn is over is put behind the others, where this comes to it again.
    for (const [key, queue] of this.#queues) {
      do {
        const next = this.#nextOf(queue);
        if (!next) break;
        const sizeWithIt = size + this.#options.sizeOf(next.request);
        if (taken.length > 0 && sizeWithIt > sizeMax) return taken;
        size = sizeWithIt;
        taken.push(this.#shift(queue));
      } while (this.#queues.size === 1);
      this.#queues.delete(key);
      if (queue.length > 0) this.#queues.set(key, queue);
    }
    return taken;
  }

  /** The first one whose caller has not gone. */
  #nextOf(queue: Queue<Request, Result>): Waiting<Request, Result> | undefined {
    let next = queue.first;
    for (; next?.signal?.aborted; next = queue.first) this.#shift(queue).reject(new Cancelled());
    return next;
  }

  #push(queue: Queue<Request, Result>, one: Waiting<Request, Result>): void {
    queue.push(one);
    this.#size += this.#options.sizeOf(one.request);
  }

  #shift(queue: Queue<Request, Result>): Waiting<Request, Result> {
    const first = queue.shift();
    this.#size -= this.#options.sizeOf(first.request);
    return first;
  }

  /** False where there is none: then nobody has given way. */
  #makeRoom(size: number, own: Queue<Request, Result>): boolean {
    const given: (readonly [queue: Queue<Request, Result>, last: Waiting<Request, Result>])[] = [];
    while (this.#size + size > this.#options.sizeMax) {
      const queue = this.#queues.values().reduce((most, one) => (one.size > most.size ? one : most), own);
      if (queue.size <= own.size + size) {
        for (const [before, last] of given.toReversed()) this.#push(before, last);
        return false;
      }
      const last = queue.pop();
      this.#size -= this.#options.sizeOf(last.request);
      given.push([queue, last]);
    }
    for (const [, last] of given) last.reject(new Overloaded());
    if (given.length > 0) for (const [key, { length }] of this.#queues) if (length === 0) this.#queues.delete(key);
    return true;
  }
}

/** First in, first out, at the same cost however many there are: an array's own `shift` moves all of a long one. */
class Queue<Request, Result> {
  readonly #sizeOf: (request: Request) => number;
  #items: Waiting<Request, Result>[] = [];
  #gone = 0;
  /** Of all that wait in it. */
  size = 0;

  constructor(sizeOf: (request: Request) => number) {
    this.#sizeOf = sizeOf;
  }

  get length(): number {
    return this.#items.length - this.#gone;
  }

  get first(): Waiting<Request, Result> | undefined {
    return this.#items[this.#gone];
  }

  push(item: Waiting<Request, Result>): void {
    this.#items.push(item);
    this.size += this.#sizeOf(item.request);
  }

  /** Only where there is one. */
  shift(): Waiting<Request, Result> {
    const first = this.#items[this.#gone++] as Waiting<Request, Result>;
    this.size -= this.#sizeOf(first.request);
    if (this.#gone * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#gone);
      this.#gone = 0;
    }
    return first;
  }

  /** The last one. Only where there is one. */
  pop(): Waiting<Request, Result> {
    const last = this.#items.pop() as Waiting<Request, Result>;
    this.size -= this.#sizeOf(last.request);
    return last;
  }
}
