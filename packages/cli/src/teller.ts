/** Milliseconds between two lines. */
const tellMilliseconds = 1_000;

/** Tells how far long work is, now and then. @returns what takes each line; the last one is told in any case. */
export function teller(): (line: string, isLast?: boolean) => void {
  let toldAt = performance.now();
  return (line, isLast = false) => {
    if (!isLast && performance.now() - toldAt < tellMilliseconds) return;
    toldAt = performance.now();
    console.error(line);
  };
}
