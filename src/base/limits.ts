/**
 * Every bound of the runtime, in one place, with what happens at it. The relations that must hold between them are
 * asserted at the end. Bounds that only one file can care about stand in that file as exported constants.
 */
import { assert } from "./assert.js";
import { GRAPH_RATE_HZ } from "./units.js";

const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  /** Call slots when the configuration says nothing. At it: `open` is refused with CALL_LIMIT. */
  callSlots: 256,
  /** The most that may be configured; slots are 16 bits of a log line and index shared tables. */
  callSlotsMax: 4096,
  /** Data ring under an edge between two threads. At it: media is dropped and marked, other frames wait. */
  ringBytes: 4 * MIB,
  /** Priority ring (open, interrupt, abort). At it: the producer holds the frame back and retries at its next flush. */
  priorityRingBytes: 128 * KIB,
  /** Payload of a priority frame. At it: `open` is refused with CALL_OPTION_INVALID; texts in others are cut. */
  priorityPayloadBytes: 60 * KIB,
  /** Characters of an error's message, and of what was spoken of an interrupted reply. Longer ones are cut. */
  priorityTextChars: 8_000,
  /** Frames that main holds back for a full ring, per worker. At it: the call is aborted with CALL_OVERLOADED. */
  heldFrames: 1024,
  /** Records that a loop takes from one ring in one step. At it: the rest waits for the next step. */
  drainRecords: 512,
  /** PCM that is resampled at a time. Longer writes are split; frames end at multiples of 20 ms. */
  audioFrameSamples: GRAPH_RATE_HZ / 10,
  /** Payload of any frame. At it: the frame is an assertion failure of the actor that emitted it. */
  framePayloadBytes: 256 * KIB,
  /** How long a loop waits for room in an outbound ring before it drops a frame that must not be dropped. */
  ringWaitMs: 2_000,
  /** Sleep of a compute worker without work. At it: it looks at control messages and its heartbeat moves. */
  parkMs: 250,
  /** Deaths on the same unacknowledged batch before its records are delivered one by one. */
  batchAttempts: 3,
  /** Restarts of one worker within the period. At it: no restart, its calls fail, the process reports unhealthy. */
  restartsMax: 8,
  restartPeriodMs: 60_000,
  /** A worker's loop that does not turn for so long. At it: `/livez` says 503, and whoever watches restarts the process. */
  heartbeatMs: 30_000,
  /** Time for a worker to load and warm its models. At it: WORKER_START_FAILED. */
  workerStartMs: 120_000,
  /** A control request to a worker. At it: WORKER_TIMEOUT. */
  controlMs: 10_000,
  /** Cooperative stop: a worker that has not left by then is left behind and the process ends itself. */
  workerStopMs: 4_000,
  /** A graceful close of a call in which nothing comes for so long. At it: the slot is released without the rest. */
  callCloseMs: 5_000,
  /** Events that a slow `for await` consumer may leave unread. At it: the oldest audio events are dropped and counted. */
  callEventsQueued: 4_096,
  /** Changes of an open call's options that main remembers for a worker's successor. At it: it forgets the oldest. */
  callChangesKept: 16,
  /** Recordings waiting to be decoded, and their bytes. At either: the next is refused with AUDIO_JOBS_BUSY. */
  jobsQueued: 64,
  jobBytesQueued: 512 * MIB,
  /** Threads that decode recordings. At it: the others wait. */
  jobThreads: 2,
  /** JavaScript heap of such a thread. At it: the recording fails with AUDIO_DECODE_FAILED. Samples lie outside it. */
  jobHeapMb: 512,
  /** Files of models that are fetched at the same time. At it: the others wait. */
  downloadsAtOnce: 4,
  /** Tries for one file that bring nothing new. At it: MODEL_DOWNLOAD_FAILED; what came before is kept. */
  downloadAttempts: 6,
  /** A server that sends nothing of a model for so long. At it: the connection is given up and tried again. */
  downloadStallMs: 30_000,
  /** Waiting for another process that fetches the same file. At it: MODEL_CACHE_BUSY. */
  downloadLockMs: 1_800_000,
  /** One file of a model. At it: MODEL_DOWNLOAD_FAILED; a server that sends without end fills no disk. */
  modelFileBytes: 16 * 1024 * MIB,
  /** Silence on the wire in the middle of speech. At it: the speech so far is finalized, as if the client had asked. */
  inputStallMs: 1_500,
  /** Text of one frame. Longer text is split. */
  textChars: 8_000,
  /** Longest speech segment and longest turn. At it: a final is forced and a new segment begins. */
  segmentMsMax: 30_000,
  turnMsMax: 120_000,
  /** Words of a conversation that the agent remembers, as characters of JSON. At it: the oldest turns are forgotten. */
  historyChars: 24_000,
} as const;

assert(LIMITS.ringBytes >= 2 * LIMITS.framePayloadBytes, "a ring holds two of the largest records");
assert(LIMITS.priorityRingBytes >= 2 * LIMITS.priorityPayloadBytes, "a priority ring holds two of its largest records");
assert(4 * LIMITS.priorityTextChars < LIMITS.priorityPayloadBytes, "a cut text fits, whatever its script");
assert(
  LIMITS.restartsMax > LIMITS.batchAttempts + 1,
  "a poisoned batch is found and skipped before the supervisor gives the worker up",
);
assert(LIMITS.audioFrameSamples * 2 <= LIMITS.framePayloadBytes, "an audio frame fits into a record");
