/** Whoever asks for the same while it is being read shares the answer, be it an error. */
export function sharing<Request, Result>(
  read: (request: Request) => Promise<Result>,
  keyOf: (request: Request) => string,
): (request: Request) => Promise<Result> {
  const underWay = new Map<string, Promise<Result>>();
  return (request) => {
    const key = keyOf(request);
    const reading = underWay.get(key) ?? read(request).finally(() => underWay.delete(key));
    underWay.set(key, reading);
    return reading;
  };
}
