import { WireType } from '@bufbuild/protobuf/wire';
import { type RevokeTokenRequest, RevokeTokenRequestSchema } from '@touchstone/contracts';
import { type PlainReader, readPlain, tagOf } from '@touchstone/contracts/plain-reader';
import { tokenCharactersMax } from '@touchstone/core/token-strings';

const { token, tokenId, reason } = RevokeTokenRequestSchema.field;
const tags = {
  token: tagOf(token, WireType.LengthDelimited),
  tokenId: tagOf(tokenId, WireType.LengthDelimited),
  reason: tagOf(reason, WireType.LengthDelimited),
};
const reasonMax = 512;
const tokenIdForm = /^tok_[0-9A-Za-z]{26}$/;

function requestIn(from: PlainReader): RevokeTokenRequest {
  const request: RevokeTokenRequest = {
    $typeName: RevokeTokenRequestSchema.typeName,
    tokenOrId: { case: undefined },
    reason: '',
  };
  from.fields((tag) => {
    if (tag === tags.token) request.tokenOrId = { case: 'token', value: from.text(tokenCharactersMax) };
    else if (tag === tags.tokenId) request.tokenOrId = { case: 'tokenId', value: from.textLike(tokenIdForm) };
    else {
      from.require(tag === tags.reason);
      request.reason = from.text(reasonMax);
    }
  });
  from.require(request.tokenOrId.case !== undefined);
  return request;
}

/** Those whose reason, if they give one, is in printable ASCII. */
export const readPlainRequest = readPlain(requestIn);
