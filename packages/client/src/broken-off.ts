import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';

/**
 * A connection that breaks off ends its calls with UNAVAILABLE, as gRPC has it: what came of them is not known. Connect tells of
 * it by whatever it was doing: INTERNAL for a stream that was reset or has no status, INVALID_ARGUMENT for half an answer.
 */
export const brokenOff: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: translated(response.message) } : response;
  } catch (error) {
    throw translate(error);
  }
};

async function* translated<Message>(messages: AsyncIterable<Message>): AsyncGenerator<Message> {
  try {
    yield* messages;
  } catch (error) {
    throw translate(error);
  }
}

function translate(thrown: unknown): ConnectError {
  const error = ConnectError.from(thrown);
  if (!isBrokenOff(error)) return error;
  return new ConnectError(
    `the connection broke off: ${error.rawMessage}`,
    Code.Unavailable,
    undefined,
    undefined,
    error,
  );
}

/** Servers tell of no error by these. */
const isBrokenOff = ({ rawMessage, cause }: ConnectError): boolean =>
  rawMessage.startsWith('protocol error:') ||
  (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('ERR_HTTP2_'));
