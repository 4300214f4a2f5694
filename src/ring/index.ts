/**
 * Records between two threads through shared memory: one producer, one consumer, no lock, no copy, no message.
 * Start at `layout.ts` (the picture), then `ring-writer.ts`, `ring-reader.ts` and `bell.ts`, which are one protocol.
 */
export { Bell, BellRope, createBellBuffer, type Doorbell, type ParkState } from "./bell.js";
export { CallWords, createCallWordsBuffer } from "./call-words.js";
export { createGraphLevelsBuffer, GraphLevels } from "./graph-levels.js";
export { createRingBuffer, maxPayloadBytes, RECORD_HEADER_BYTES, type RingOptions, ringByteLength } from "./layout.js";
export { Ring } from "./ring.js";
export { RingReader } from "./ring-reader.js";
export { RingWriter } from "./ring-writer.js";
export { createEdgeSequencesBuffer, EdgeSequences, isAfter } from "./sequences.js";
export { createSlabBuffer, type SlabRow, StateSlab } from "./state-slab.js";
