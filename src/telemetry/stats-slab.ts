/**
 * The hot path's counters, in shared memory: the owner thread adds with plain stores, the main thread reads when it is
 * scraped. No messages, no allocation per observation, no scrape that waits for a busy worker.
 *
 * Every slot has one writer. A 64-bit float that lies aligned is stored in one instruction on the platforms Node runs on,
 * so a reader sees an older or a newer value, never half of one; what it sees may be late by what the writer's core has
 * not published yet, far less than the time between two scrapes.
 *
 * The memory outlives the worker: a successor opens a writer on the same buffer and goes on from the same values, so a
 * counter never falls.
 */
import { assert } from "../base/assert.js";
import {
  type FieldsOf,
  openStatsBuffer,
  PEAK_OFFSET,
  PEAK_WINDOW_OFFSET,
  type PlacedStats,
  placedSection,
  placeSections,
  type StatsField,
  type StatsLayout,
  WINDOW_SLOT,
} from "./stats-layout.js";

export { createStatsBuffer, type StatsField, type StatsLayout } from "./stats-layout.js";

/** Slot numbers, resolved once; the brands keep a gauge from being added to. */
export type CounterHandle = number & { readonly statsKind: "counter" };
export type GaugeHandle = number & { readonly statsKind: "gauge" };
export type HistogramHandle = number & { readonly statsKind: "histogram" };

type HandleOf<Field extends StatsField> = Field extends { readonly kind: "counter" }
  ? CounterHandle
  : Field extends { readonly kind: "gauge" }
    ? GaugeHandle
    : HistogramHandle;

export type StatsHandles<L extends StatsLayout> = { readonly [Name in keyof L]: HandleOf<L[Name]> };

/** The owner thread's end. Nothing here blocks, throws or allocates after the handles were resolved. */
export class StatsWriter {
  readonly #slots: Float64Array;
  readonly #placed: PlacedStats;
  /** Bounds by the histogram's first slot; empty elsewhere. */
  readonly #boundsAt: (readonly number[])[];

  /** Fails an assertion if the buffer was made for other sections. */
  constructor(buffer: SharedArrayBuffer, sections: readonly StatsLayout[]) {
    this.#slots = openStatsBuffer(buffer, sections);
    this.#placed = placeSections(sections);
    this.#boundsAt = Array.from({ length: this.#placed.slotCount }, () => []);
    for (const section of this.#placed.sections) {
      for (const [name, field] of Object.entries(section.layout)) {
        if (field.kind === "histogram") this.#boundsAt[section.slots.get(name)!] = field.bounds;
      }
    }
  }

  /** The handles of one section's fields. `layout` must be the one that the section was made with. */
  handles<L extends StatsLayout>(sectionIndex: number, layout: L): StatsHandles<L> {
    const section = placedSection(this.#placed, sectionIndex);
    assert(section.layout === layout, "handles are resolved with the section's own layout");
    return Object.fromEntries(section.slots) as unknown as StatsHandles<L>;
  }

  /** @param amount ≥ 0, in the counter's unit. */
  add(handle: CounterHandle, amount: number): void {
    this.#slots[handle] = this.#slots[handle]! + amount;
  }

  /** The level from now on. */
  set(handle: GaugeHandle, level: number): void {
    const slots = this.#slots;
    // The level that held until now was held in this window too.
    const before = slots[handle]!;
    slots[handle] = level;
    this.max(handle, Math.max(before, level));
  }

  /** Raises the window's peak without touching the level: for durations, where only the worst one matters. */
  max(handle: GaugeHandle, value: number): void {
    const slots = this.#slots;
    const window = slots[WINDOW_SLOT]!;
    if (slots[handle + PEAK_WINDOW_OFFSET] === window && slots[handle + PEAK_OFFSET]! >= value) return;
    slots[handle + PEAK_OFFSET] = value;
    slots[handle + PEAK_WINDOW_OFFSET] = window;
  }

  /** Counts one value. NaN and infinities are ignored: one of them would spoil the sum for good. */
  observe(handle: HistogramHandle, value: number): void {
    if (!Number.isFinite(value)) return;
    const slots = this.#slots;
    const bounds = this.#boundsAt[handle]!;
    const boundCount = bounds.length;
    let bucket = 0;
    while (bucket < boundCount && value > bounds[bucket]!) bucket += 1;
    slots[handle + bucket] = slots[handle + bucket]! + 1;
    const sum = handle + boundCount + 1;
    slots[sum] = slots[sum]! + value;
  }
}

export interface GaugeReading {
  readonly value: number;
  /** The largest value since the last `nextWindow`. */
  readonly peak: number;
}

export interface HistogramReading {
  readonly bounds: readonly number[];
  /** Not cumulative; one more than `bounds`, for what lies above the last. */
  readonly counts: readonly number[];
  /** Sum of `counts`: always agrees with the buckets, even if read in the middle of an observation. */
  readonly count: number;
  /** May be ahead of or behind `count` by the observation under way. */
  readonly sum: number;
}

/** Any other thread's end. Reads without stopping the writer. */
export class StatsReader {
  readonly #slots: Float64Array;
  readonly #placed: PlacedStats;

  /** Fails an assertion if the buffer was made for other sections. */
  constructor(buffer: SharedArrayBuffer, sections: readonly StatsLayout[]) {
    this.#slots = openStatsBuffer(buffer, sections);
    this.#placed = placeSections(sections);
  }

  counter<L extends StatsLayout>(sectionIndex: number, _layout: L, name: FieldsOf<L, "counter">): number {
    return this.#slots[this.#slotOf(sectionIndex, name)]!;
  }

  gauge<L extends StatsLayout>(sectionIndex: number, _layout: L, name: FieldsOf<L, "gauge">): GaugeReading {
    const slot = this.#slotOf(sectionIndex, name);
    const value = this.#slots[slot]!;
    const isCurrent = this.#slots[slot + PEAK_WINDOW_OFFSET] === this.#slots[WINDOW_SLOT];
    return { value, peak: isCurrent ? Math.max(value, this.#slots[slot + PEAK_OFFSET]!) : value };
  }

  histogram<L extends StatsLayout>(sectionIndex: number, layout: L, name: FieldsOf<L, "histogram">): HistogramReading {
    const field = layout[name]!;
    assert(field.kind === "histogram", "the field is a histogram");
    const slot = this.#slotOf(sectionIndex, name);
    const counts = Array.from(this.#slots.subarray(slot, slot + field.bounds.length + 1));
    const count = counts.reduce((total, inBucket) => total + inBucket, 0);
    return { bounds: field.bounds, counts, count, sum: this.#slots[slot + field.bounds.length + 1]! };
  }

  /**
   * Begins a new window for the peaks of all gauges. For the one reader that scrapes: the window's slot, too, has one
   * writer. A peak that the worker notes at this very instant may fall into either window.
   */
  nextWindow(): void {
    this.#slots[WINDOW_SLOT] = this.#slots[WINDOW_SLOT]! + 1;
  }

  #slotOf(sectionIndex: number, name: string): number {
    const slot = placedSection(this.#placed, sectionIndex).slots.get(name);
    assert(slot !== undefined, "the section has this field");
    return slot;
  }
}
