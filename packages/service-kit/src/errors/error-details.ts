import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { type ErrorInfo, ErrorInfoSchema, type Status, StatusSchema } from '@touchstone/contracts/google-rpc';
import { errorDomain, type Failure, reasonName } from './status-table.ts';

/** The reason and what else is known, for programs. */
export const errorInfoOf = ({ reason, metadata }: Failure): ErrorInfo =>
  create(ErrorInfoSchema, { reason: reasonName(reason), domain: errorDomain, metadata: { ...metadata } });

/** The bytes of the trailer `grpc-status-details-bin`. */
export function statusDetailsOf(failure: Failure): Uint8Array {
  const status: Status = create(StatusSchema, {
    code: failure.code,
    message: failure.message,
    details: [anyPack(ErrorInfoSchema, errorInfoOf(failure))],
  });
  return toBinary(StatusSchema, status);
}
