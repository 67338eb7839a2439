interface Stream {
  end(): void;
  once(event: 'cancelled', listener: () => void): unknown;
}

/** Streams that last for as long as both sides want: a service that stops ends them. */
export interface OpenStreams {
  add(stream: Stream): void;
  endAll(): void;
}

export function openStreams(): OpenStreams {
  const open = new Set<Stream>();
  return {
    add(stream) {
      open.add(stream);
      // grpc-js says so of every stream, however it ended.
      stream.once('cancelled', () => open.delete(stream));
    },
    endAll() {
      for (const stream of open) stream.end();
    },
  };
}
