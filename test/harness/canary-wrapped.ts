// Also as text escapes, and these escaped again. At most 8 deep: a page of backslashes must not take for ever.
const lineBreaks = /[\r\n]|\\{1,8}[nr]/g;

/** Bytes without their line breaks, and where each of them stood before. */
export class Joined {
  readonly data: Buffer;
  readonly #text: string;
  // Worked out when first asked for: of each break, its place in the joined bytes and what was taken out up to it.
  #breaks: { readonly at: number; readonly taken: number }[] | undefined;

  constructor(bytes: Buffer) {
    this.#text = bytes.toString('latin1');
    this.data = Buffer.from(this.#text.replaceAll(lineBreaks, ''), 'latin1');
  }

  originOf(at: number): number {
    this.#breaks ??= breaksOf(this.#text);
    let [low, high] = [0, this.#breaks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#breaks[middle]?.at ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return at + (this.#breaks[low - 1]?.taken ?? 0);
  }
}

function breaksOf(text: string): { at: number; taken: number }[] {
  const breaks = [];
  let taken = 0;
  for (const { 0: found, index } of text.matchAll(lineBreaks)) {
    const at = index - taken;
    taken += found.length;
    breaks.push({ at, taken });
  }
  return breaks;
}
