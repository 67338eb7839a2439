/** Where the first one is that fits, in an order in which all after it do, too; behind the last one where none does. */
export function firstWhere<Item>(ordered: readonly Item[], fits: (item: Item) => boolean): number {
  let [from, to] = [0, ordered.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (fits(ordered[middle] as Item)) to = middle;
    else from = middle + 1;
  }
  return from;
}
