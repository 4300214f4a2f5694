/**
 * Where each figure of a statistics slab lies. A slab is one SharedArrayBuffer of Float64 slots that one thread writes
 * and others read: a header, then one section per thing that is counted (the worker, then each of its nodes).
 *
 * Layouts are data. Writer and reader get the same list of sections and compute the same slots; a fingerprint in the
 * header catches the case that they did not.
 */
import { assert } from "../base/assert.js";

export type StatsField =
  /** Only grows. One slot. */
  | { readonly kind: "counter" }
  /** A level, and its peak in the current window. Three slots: value, peak, the window of the peak. */
  | { readonly kind: "gauge" }
  /** One slot per bound, one for what lies above the last, one for the sum. The count is the sum of the buckets. */
  | { readonly kind: "histogram"; readonly bounds: readonly number[] };

export type StatsLayout = Readonly<Record<string, StatsField>>;

/** Names of a layout's fields of one kind. */
export type FieldsOf<L extends StatsLayout, Kind extends StatsField["kind"]> = {
  [Name in keyof L]: L[Name] extends { readonly kind: Kind } ? Name : never;
}[keyof L] &
  string;

const MAGIC = 0x53595258;
const MAGIC_SLOT = 0;
const FINGERPRINT_SLOT = 1;
/** Written by the scraping thread only; on another cache line than the rest of the header and than any section. */
export const WINDOW_SLOT = 8;
const HEADER_SLOTS = 16;
/** Sections begin on cache lines of their own (64 bytes). */
const SECTION_ALIGN_SLOTS = 8;
const SLOT_BYTES = Float64Array.BYTES_PER_ELEMENT;

export const PEAK_OFFSET = 1;
export const PEAK_WINDOW_OFFSET = 2;

function slotsOf(field: StatsField): number {
  if (field.kind === "counter") return 1;
  return field.kind === "gauge" ? 3 : field.bounds.length + 2;
}

/** FNV-1a, 32 bits: a Float64 slot holds it exactly. */
function fingerprintOf(sections: readonly StatsLayout[]): number {
  let hash = 0x811c9dc5;
  for (const character of JSON.stringify(sections)) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193);
  return hash >>> 0;
}

/** One section placed: its layout and the first slot of each field. */
export interface PlacedSection {
  readonly layout: StatsLayout;
  readonly slots: ReadonlyMap<string, number>;
}

export interface PlacedStats {
  readonly sections: readonly PlacedSection[];
  readonly slotCount: number;
}

export function placeSections(sections: readonly StatsLayout[]): PlacedStats {
  let next = HEADER_SLOTS;
  const placed = sections.map((layout) => {
    const slots = new Map<string, number>();
    for (const [name, field] of Object.entries(layout)) {
      slots.set(name, next);
      next += slotsOf(field);
    }
    next = Math.ceil(next / SECTION_ALIGN_SLOTS) * SECTION_ALIGN_SLOTS;
    return { layout, slots };
  });
  return { sections: placed, slotCount: next };
}

/** A zeroed slab. Made by the main thread, once per worker; it outlives the worker and is handed to its successor. */
export function createStatsBuffer(sections: readonly StatsLayout[]): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(placeSections(sections).slotCount * SLOT_BYTES);
  const slots = new Float64Array(buffer);
  slots[MAGIC_SLOT] = MAGIC;
  slots[FINGERPRINT_SLOT] = fingerprintOf(sections);
  return buffer;
}

/** The slab's slots. Fails an assertion if the buffer was not made for exactly these sections. */
export function openStatsBuffer(buffer: SharedArrayBuffer, sections: readonly StatsLayout[]): Float64Array {
  assert(buffer.byteLength % SLOT_BYTES === 0, "a statistics slab is whole slots");
  const slots = new Float64Array(buffer);
  assert(slots[MAGIC_SLOT] === MAGIC, "the shared buffer is a statistics slab");
  assert(slots[FINGERPRINT_SLOT] === fingerprintOf(sections), "writer and reader know the slab by the same layout");
  return slots;
}

export function placedSection(placed: PlacedStats, index: number): PlacedSection {
  const section = placed.sections[index];
  assert(section !== undefined, "the statistics slab has this section");
  return section;
}
