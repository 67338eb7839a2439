import type { Issued } from './history.ts';

/** The token, and what it was derived from, nearest first; null where one of them is not known. */
export function lineageOf(token: Issued, known: ReadonlyMap<string, Issued>): Issued[] | null {
  const line = [token];
  for (let { parentId } = token; parentId !== null; ) {
    const parent = known.get(parentId);
    if (!parent) return null;
    line.push(parent);
    parentId = parent.parentId;
  }
  return line;
}
