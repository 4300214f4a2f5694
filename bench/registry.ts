/** Every bench, in the order in which they run. A new one is a file and a row. */
import type { Bench } from "./harness/bench.js";

export interface BenchRow {
  readonly name: string;
  readonly question: string;
  /** Only when it runs: a variant's process holds nothing of the other benches. */
  load(): Promise<Bench>;
}

export const BENCHES: readonly BenchRow[] = [
  {
    name: "ring",
    question: "What does a frame through three threads cost, by rings and by postMessage?",
    load: async () => (await import("./ring.js")).ringBench,
  },
  {
    name: "cancel",
    question: "How soon does queued work stop after an interruption?",
    load: async () => (await import("./cancel.js")).cancelBench,
  },
  {
    name: "vad",
    question: "How many streams per core does the voice detector serve, batched and not?",
    load: async () => (await import("./vad.js")).vadBench,
  },
  {
    name: "batching",
    question: "How many streams does a worker serve at equal lateness, by how its batches are formed?",
    load: async () => (await import("./batching.js")).batchingBench,
  },
  {
    name: "models",
    question: "How long does a model take to load, and how much memory does a session hold?",
    load: async () => (await import("./models.js")).modelsBench,
  },
  {
    name: "tts",
    question: "How much faster than real time do voices speak, and how soon comes the first audio?",
    load: async () => (await import("./tts.js")).ttsBench,
  },
  {
    name: "overhead",
    question: "How much of a turn's time is the runtime's own, at 1, 20 and 100 calls?",
    load: async () => (await import("./overhead.js")).overheadBench,
  },
  {
    name: "overload",
    question: "With twice the callers that there is room for, do those who are let in keep what they were promised?",
    load: async () => (await import("./overload.js")).overloadBench,
  },
  {
    name: "ready",
    question: "How long after its start does the server take calls?",
    load: async () => (await import("./ready.js")).readyBench,
  },
  {
    name: "recovery",
    question: "How long after a worker's death is the first frame processed again?",
    load: async () => (await import("./recovery.js")).recoveryBench,
  },
  {
    name: "memory",
    question: "How much memory does one more idle call take?",
    load: async () => (await import("./memory.js")).memoryBench,
  },
  {
    name: "faces",
    question: "What does a wire protocol cost, and how soon does it answer?",
    load: async () => (await import("./faces.js")).facesBench,
  },
];
