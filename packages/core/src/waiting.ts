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
  /** The most that wait. Beyond that the key gives way of which the most wait: its last one is refused. */
  readonly sizeMax: number;
}

/** What waits: the requests of a key in the order in which they came, and the keys in turns. */
export class WaitingInTurns<Request, Result> {
  readonly #options: WaitingOptions<Request>;
  /** None is empty; the one whose turn it is comes first. */
  readonly #queues = new Map<string, Queue<Waiting<Request, Result>>>();
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
    const queue = this.#queues.get(key) ?? new Queue();
    const size = sizeOf(one.request);
    if (!this.#makeRoom(size, queue)) {
      one.reject(new Overloaded());
      return;
    }
    this.#size += size;
    queue.push(one);
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
  #nextOf(queue: Queue<Waiting<Request, Result>>): Waiting<Request, Result> | undefined {
    let next = queue.first;
    for (; next?.signal?.aborted; next = queue.first) this.#shift(queue).reject(new Cancelled());
    return next;
  }

  #shift(queue: Queue<Waiting<Request, Result>>): Waiting<Request, Result> {
    const first = queue.shift();
    this.#size -= this.#options.sizeOf(first.request);
    return first;
  }

  #makeRoom(size: number, own: Queue<Waiting<Request, Result>>): boolean {
    const { sizeOf, sizeMax } = this.#options;
    while (this.#size + size > sizeMax) {
      const most = this.#queues.values().reduce((most, one) => (one.length > most.length ? one : most), own);
      if (most.length <= own.length + 1) return false;
      const last = most.pop();
      this.#size -= sizeOf(last.request);
      last.reject(new Overloaded());
    }
    return true;
  }
}

/** First in, first out, at the same cost however many there are: an array's own `shift` moves all of a long one. */
class Queue<Item> {
  #items: Item[] = [];
  #gone = 0;

  get length(): number {
    return this.#items.length - this.#gone;
  }

  get first(): Item | undefined {
    return this.#items[this.#gone];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** Only where there is one. */
  shift(): Item {
    const first = this.#items[this.#gone++] as Item;
    if (this.#gone * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#gone);
      this.#gone = 0;
    }
    return first;
  }

  /** The last one. Only where there is one. */
  pop(): Item {
    return this.#items.pop() as Item;
  }
}
