import { z } from 'zod';

const optional = (what: string) => z.string().default('').describe(what);

/** What a program reads that unwraps data keys: of the first two exactly one is given. */
export const keySettings = {
  MASTER_KEY_FILE: optional(
    'File of the master key, readable by its owner alone, which wraps the data keys. Give this one or AWS_KMS_KEY_ID.',
  ),
  AWS_KMS_KEY_ID: optional(
    'Key of AWS KMS, its id or ARN, which wraps the data keys. Give this one or MASTER_KEY_FILE. Region and credentials are those that the AWS SDK finds.',
  ),
  AWS_KMS_ENDPOINT: z
    .union([z.literal(''), z.url({ protocol: /^https?$/ })])
    .default('')
    .describe("URL of another endpoint of KMS; none: AWS's own for the region."),
  FORMER_MASTER_KEY_FILE: optional(
    'File of the master key that wrapped the data keys before, while they are wrapped anew.',
  ),
  FORMER_AWS_KMS_KEY_ID: optional('Key of AWS KMS that wrapped the data keys before, while they are wrapped anew.'),
};

/** Settings of which exactly one must be given, where a program reads them. */
const alternatives: readonly (readonly string[])[] = [['MASTER_KEY_FILE', 'AWS_KMS_KEY_ID']];

/** A line for each choice between settings of a program that has not been made, or made twice. */
export function choicesMissed(
  settings: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, string>>,
): string[] {
  const asked = alternatives.filter((names) => names.every((name) => name in settings));
  return asked.flatMap((names) => {
    const chosen = names.filter((name) => given[name]).length;
    if (chosen === 0) return [`${names.join(' or ')} is missing: give one of them`];
    return chosen === 1 ? [] : [`${names.join(' and ')} are both given: give one of them`];
  });
}
