/** What to look at, by the name of an error of KMS or its SDK. */
const advice: Readonly<Record<string, string>> = {
  AccessDeniedException: 'the credentials may not use the key: allow them kms:Encrypt and kms:Decrypt',
  CredentialsProviderError: 'there are no AWS credentials',
  UnrecognizedClientException: 'the AWS credentials are not accepted',
  InvalidSignatureException: 'the AWS credentials are not accepted: check them, and the clock of this machine',
  ExpiredTokenException: 'the AWS credentials have expired',
  NotFoundException: 'there is no such key: check its id, the region and the account',
  DisabledException: 'the key is disabled: enable it',
  KMSInvalidStateException: 'the key cannot be used in its state: check whether it is to be deleted, and cancel that',
  KeyUnavailableException: 'the key is not available at the moment: try again',
  InvalidKeyUsageException: 'the key is not for encryption: take a symmetric key that encrypts and decrypts',
  IncorrectKeyException: 'another key of KMS wrapped it: check which key encryption is named beside the data key',
  InvalidCiphertextException:
    'this key did not wrap it, or not as this data key, or it was changed since: ' +
    'check which key encryption is named beside the data key',
  ThrottlingException: 'there are too many requests: try again',
  TimeoutError: 'KMS did not answer in time: check the network, and the endpoint where one is set',
};

/** The codes of what becomes of a connection. */
const connection = /^E(?!RR_|TIMEDOUT$)[A-Z_]+$/;

/** Why KMS could not be asked or said no, and what to do about it. Holds nothing of a key. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an unknown fault';
  if (mayHoldKey(error)) return 'the answer is none of KMS: check the endpoint';
  // By its code first: the SDK calls a connection that breaks a timeout too.
  const code = 'code' in error ? String(error.code) : '';
  if (connection.test(code)) {
    return `KMS cannot be reached (${code}): check the network, and the endpoint where one is set`;
  }
  const known = advice[error.name];
  return known ? `${known} (${error.name})` : `${error.name}: ${error.message}`;
}

/** The options of an error that come of this one. */
export const causeOf = (error: unknown): ErrorOptions => (mayHoldKey(error) ? {} : { cause: error });

/** An answer that says yes but can't be read: the SDK keeps it beside the error, and its parser may quote it. */
function mayHoldKey(error: unknown): boolean {
  if (!(error instanceof Error) || !('$response' in error)) return false;
  const { statusCode } = error.$response as { statusCode?: number };
  return statusCode === undefined || statusCode < 300;
}
