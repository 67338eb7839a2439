import { type Duration, durationFromMs } from '@bufbuild/protobuf/wkt';
import { InvalidField } from '@touchstone/core';

/** Null where there is none. @throws InvalidField unless the duration is of whole seconds. */
export function toSeconds(field: string, duration: Duration | undefined): number | null {
  if (!duration) return null;
  if (duration.nanos !== 0) throw new InvalidField(field, 'must be of whole seconds');
  return Number(duration.seconds);
}

/** Absent where there is none. */
export const fromSeconds = (seconds: number | null): Duration | undefined =>
  seconds === null ? undefined : durationFromMs(seconds * 1_000);
