import { InvalidField } from '@touchstone/core';

/** What came is no message of the RPC; decoders' own words can quote it. */
export class NoMessage extends InvalidField {
  constructor() {
    super('request', 'must be a message of this RPC');
  }
}
