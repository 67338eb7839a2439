import { create, type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';
import { anyPack, durationFromMs } from '@bufbuild/protobuf/wkt';
import { ErrorInfoSchema, RetryInfoSchema, type Status, StatusSchema } from '@touchstone/contracts/google-rpc';
import { errorDomain, type Failure, reasonName } from './status-table.ts';

interface Detail {
  readonly desc: DescMessage;
  readonly value: Message;
}

/** What is known of an error, for programs: the reason, and when to try again. */
export function errorDetailsOf({ reason, metadata, retryAfter }: Failure): Detail[] {
  const info = { reason: reasonName(reason), domain: errorDomain, metadata: { ...metadata } };
  const details: Detail[] = [{ desc: ErrorInfoSchema, value: create(ErrorInfoSchema, info) }];
  if (retryAfter !== undefined) {
    const value = create(RetryInfoSchema, { retryDelay: durationFromMs(retryAfter) });
    details.push({ desc: RetryInfoSchema, value });
  }
  return details;
}

/** The bytes of the trailer `grpc-status-details-bin`. */
export function statusDetailsOf(failure: Failure): Uint8Array {
  const status: Status = create(StatusSchema, {
    code: failure.code,
    message: failure.message,
    details: errorDetailsOf(failure).map(({ desc, value }) => anyPack(desc, value)),
  });
  return toBinary(StatusSchema, status);
}
