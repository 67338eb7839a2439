// Of a key's hash 10 bits choose the segment, 16 where to begin in it, and 6 tell apart most of what meets there.
export const segmentsCount = 1_024;
export const segmentOf = (hash: number): number => hash >>> 22;
const homeOf = (hash: number): number => (hash >>> 6) & 0xffff;
const tagOf = (hash: number): number => hash & 0x3f;

// A slot is the tag and the offset of a record; 0: free.
const offsetBits = 26;
const offsetMask = 2 ** offsetBits - 1;

// A record is ceiling and end as doubles, home and length as 16 bits each, and the key's UTF-16 units: their low bytes,
// then their high ones where one of them is not 0. Whether any is, is the highest bit of the length.
const endAt = 8;
const homeAt = 16;
const lengthAt = 18;
const keyAt = 20;
const wide = 0x8000;

/** How much more room is made than is needed. Little: it is what a full table wastes. */
const growth = 1.125;
const slotsPerMark = 1.3;

/** Marks in two arrays: records one after the other, and slots that lead to them by open addressing with linear probing. */
export class MarkSegment {
  #count = 0;
  #slots = new Uint32Array(4);
  #bytes = new Uint8Array(64);
  #view = new DataView(this.#bytes.buffer);
  /** Where the next record goes. None is at 0, which is how a free slot is told. */
  #free = 1;

  get count(): number {
    return this.#count;
  }

  covers(key: string, hash: number, sequence: number): boolean {
    const record = this.#find(key, hash);
    return record !== 0 && sequence <= this.#view.getFloat64(record);
  }

  ceilingOf(key: string, hash: number): number | undefined {
    const record = this.#find(key, hash);
    return record === 0 ? undefined : this.#view.getFloat64(record);
  }

  coversUntilOf(key: string, hash: number): number | undefined {
    const record = this.#find(key, hash);
    return record === 0 ? undefined : this.#view.getFloat64(record + endAt);
  }

  set(key: string, hash: number, ceiling: number, coversUntil: number): void {
    const record = this.#find(key, hash) || this.#add(key, hash);
    this.#view.setFloat64(record, ceiling);
    this.#view.setFloat64(record + endAt, coversUntil);
  }

  /** Forgets what covers nothing from then on. */
  forget(before: number): void {
    const [bytes, view] = [this.#bytes, this.#view];
    const kept = this.#slots.filter((slot) => slot !== 0 && view.getFloat64((slot & offsetMask) + endAt) >= before);
    if (kept.length === this.#count) return;
    const bytesCount = kept.reduce((sum, slot) => sum + sizeOf(view, slot & offsetMask), 1);
    this.#makeRoom(bytesCount, kept.length);
    this.#count = kept.length;
    this.#free = 1;
    for (const slot of kept) {
      const record = slot & offsetMask;
      const size = sizeOf(view, record);
      this.#bytes.set(bytes.subarray(record, record + size), this.#free);
      this.#place((slot & ~offsetMask) | this.#free);
      this.#free += size;
    }
  }

  /** Where the key's record is; 0: nowhere. */
  #find(key: string, hash: number): number {
    const slots = this.#slots;
    const tag = tagOf(hash);
    for (let at = startOf(homeOf(hash), slots.length); ; at = after(at, slots.length)) {
      const slot = slots[at] as number;
      if (slot === 0) return 0;
      if (slot >>> offsetBits === tag && this.#holds(slot & offsetMask, key)) return slot & offsetMask;
    }
  }

  #holds(record: number, key: string): boolean {
    const length = this.#view.getUint16(record + lengthAt);
    if ((length & ~wide) !== key.length) return false;
    const bytes = this.#bytes;
    const low = record + keyAt;
    if (length & wide) return this.#holdsWide(low, key);
    for (let i = 0; i < length; i++) if (bytes[low + i] !== key.charCodeAt(i)) return false;
    return true;
  }

  #holdsWide(low: number, key: string): boolean {
    const bytes = this.#bytes;
    const high = low + key.length;
    for (let i = 0; i < key.length; i++) {
      const code = key.charCodeAt(i);
      if (bytes[low + i] !== (code & 0xff) || bytes[high + i] !== code >>> 8) return false;
    }
    return true;
  }

  #add(key: string, hash: number): number {
    if (key.length >= wide) throw new RangeError('the key of a mark is too long');
    const isWide = /[\u0100-\uffff]/.test(key);
    const size = keyAt + key.length * (isWide ? 2 : 1);
    if (this.#free + size > this.#bytes.length || this.#count * slotsPerMark > this.#slots.length - 2) this.#grow(size);
    const record = this.#free;
    this.#view.setUint16(record + homeAt, homeOf(hash));
    this.#view.setUint16(record + lengthAt, key.length | (isWide ? wide : 0));
    this.#write(key, record + keyAt, 0);
    if (isWide) this.#write(key, record + keyAt + key.length, 8);
    this.#place((tagOf(hash) << offsetBits) | record);
    this.#free += size;
    this.#count += 1;
    return record;
  }

  #write(key: string, from: number, shift: number): void {
    for (let i = 0; i < key.length; i++) this.#bytes[from + i] = key.charCodeAt(i) >>> shift;
  }

  #grow(size: number): void {
    const [slots, bytes] = [this.#slots, this.#bytes];
    this.#makeRoom(this.#free + size, this.#count + 1);
    this.#bytes.set(bytes.subarray(0, this.#free));
    for (const slot of slots) if (slot !== 0) this.#place(slot);
  }

  /** New arrays, for so much and some more. Where there is no memory for them nothing has changed: no mark is lost. */
  #makeRoom(bytesCount: number, marksCount: number): void {
    if (bytesCount * growth > offsetMask) throw new RangeError('too many marks have hashes alike');
    const bytes = new Uint8Array(Math.ceil(bytesCount * growth));
    const slots = new Uint32Array(Math.ceil(marksCount * growth * slotsPerMark) + 3);
    this.#view = new DataView(bytes.buffer);
    [this.#bytes, this.#slots] = [bytes, slots];
  }

  #place(slot: number): void {
    const slots = this.#slots;
    let at = startOf(this.#view.getUint16((slot & offsetMask) + homeAt), slots.length);
    while (slots[at] !== 0) at = after(at, slots.length);
    slots[at] = slot;
  }
}

function sizeOf(view: DataView, record: number): number {
  const length = view.getUint16(record + lengthAt);
  return keyAt + (length & wide ? 2 * (length & ~wide) : length);
}

const startOf = (home: number, slotsCount: number): number => Math.floor((home * slotsCount) / 2 ** 16);
const after = (at: number, slotsCount: number): number => (at + 1 === slotsCount ? 0 : at + 1);
