/** Each definition on a synthetic trace, with numbers that other, plausible definitions would not give. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBargeInMissed, measuresOf, soundMs, starvedMs, worstLatenessMs } from "../../../src/cli/load/measures.js";
import {
  addAudio,
  newReply,
  newSpeech,
  newTurn,
  type ReplyTrace,
  type SpeechTrace,
  type TurnTrace,
} from "../../../src/cli/load/trace.js";
import type { ReceiptEvent, ReceiptStage } from "../../../src/frames/events.js";
import { toneRecording } from "../../support/load-stage.js";

const RATE_HZ = 16_000;
const recording = toneRecording("tone", 1_000);

/** Speech from 2 205 to 3 205 ms; the frame in which it begins is due at 2 220. */
function speech(more: Partial<SpeechTrace> = {}): SpeechTrace {
  const place = { recording, firstFrameMs: 2_220, startMs: 2_205, endMs: 3_205, isBargeIn: false };
  return { ...newSpeech({ ...place, startPositionMs: 205, endPositionMs: 1_205 }), ...more };
}

/** A reply of chunks, each as [instant, milliseconds of silence, milliseconds of sound]. */
function replyOf(chunks: readonly (readonly [atMs: number, silenceMs: number, soundMs: number])[]): ReplyTrace {
  const reply = newReply(1);
  for (const [atMs, silenceMs, sound] of chunks) {
    const pcm = new Int16Array(16 * (silenceMs + sound));
    pcm.fill(-4_000, 16 * silenceMs);
    addAudio(reply, pcm, RATE_HZ, atMs);
  }
  return reply;
}

function turn(of: Partial<TurnTrace>): TurnTrace {
  return { ...newTurn(0, 2_000, undefined), outcome: "answered", ...of };
}

describe("hearing", () => {
  test("first_partial counts from the frame with speech, and not from where the utterance was begun", () => {
    assert.deepEqual(measuresOf(turn({ speech: speech({ firstPartialMs: 2_700 }) })).first_partial, [480]);
    assert.equal(measuresOf(turn({ speech: speech() })).first_partial, undefined);
  });

  test("partial_lag has a sample for each partial", () => {
    const partialLags = [
      { atMs: 2_700, lagMs: 300 },
      { atMs: 2_900, lagMs: 410 },
    ];
    assert.deepEqual(measuresOf(turn({ speech: speech({ partialLags }) })).partial_lag, [300, 410]);
  });

  const finals = [
    { atMs: 2_900, text: "set a" },
    { atMs: 3_600, text: "timer" },
  ];

  test("ttfs ends with the last final, not the first, and begins at the true end of speech", () => {
    const { ttfs } = measuresOf(turn({ speech: speech({ finals, endpointsMs: [2_850, 3_500] }) }));
    assert.deepEqual(ttfs, [395]);
  });

  test("final_after_endpoint begins with the endpoint that led to the final, not with one that came later", () => {
    const endpointsMs = [2_850, 3_500, 3_650];
    assert.deepEqual(measuresOf(turn({ speech: speech({ finals, endpointsMs }) })).final_after_endpoint, [100]);
    assert.equal(measuresOf(turn({ speech: speech({ finals }) })).final_after_endpoint, undefined);
  });

  test("an utterance that the caller finalized is in final_after_finalize alone", () => {
    const finalized = measuresOf(turn({ speech: speech({ finals, endpointsMs: [3_500], finalizeMs: 3_220 }) }));
    assert.deepEqual(finalized.final_after_finalize, [380]);
    assert.deepEqual([finalized.ttfs, finalized.final_after_endpoint], [undefined, undefined]);
    const early = measuresOf(turn({ speech: speech({ finals: finals.slice(0, 1), finalizeMs: 3_220 }) }));
    assert.equal(early.final_after_finalize, undefined);
  });
});

describe("a reply", () => {
  test("ttfa ends with the first sound, not with the first byte: silence in a chunk of its own", () => {
    const reply = {
      ...replyOf([
        [4_000, 100, 0],
        [4_030, 0, 100],
      ]),
      textMs: 3_900,
    };
    // The sound was there at 4 030, and is due at 4 100 in a playback that began at 4 000.
    assert.equal(soundMs(reply), 4_100);
    assert.deepEqual(measuresOf(turn({ reply })).ttfa, [200]);
  });

  test("ttfa counts silence at the head of the chunk that has the sound", () => {
    assert.deepEqual(measuresOf(turn({ reply: { ...replyOf([[4_000, 60, 40]]), textMs: 3_900 } })).ttfa, [160]);
  });

  test("ttfa waits for a sound that comes later than it is due", () => {
    const reply = {
      ...replyOf([
        [4_000, 20, 0],
        [4_500, 0, 100],
      ]),
      textMs: 3_900,
    };
    assert.deepEqual(measuresOf(turn({ reply })).ttfa, [600]);
  });

  test("what is quieter than −40 dBFS is silence, also on the negative side", () => {
    const reply = newReply(1);
    addAudio(reply, new Int16Array(160).fill(-300), RATE_HZ, 4_000);
    assert.equal(soundMs(reply), undefined);
    addAudio(reply, new Int16Array(160).fill(-400), RATE_HZ, 4_001);
    assert.equal(soundMs(reply), 4_010);
  });

  test("rtf_stream is the time until the last chunk against the whole length, and only of whole replies", () => {
    const reply = {
      ...replyOf([
        [4_000, 0, 500],
        [4_100, 0, 500],
      ]),
      textMs: 3_900,
    };
    assert.equal(measuresOf(turn({ reply })).rtf_stream, undefined);
    assert.deepEqual(measuresOf(turn({ reply: { ...reply, end: "completed" } })).rtf_stream, [0.2]);
  });
});

describe("playback", () => {
  // 100 ms each; the second chunk is 150 ms late against an unbuffered player, the third 170, the fourth in time again.
  const late = replyOf([
    [1_000, 0, 100],
    [1_250, 0, 100],
    [1_370, 0, 100],
    [1_371, 0, 100],
  ]);

  test("a buffer as large as the worst lateness plays without a gap, and one that is smaller does not", () => {
    assert.equal(worstLatenessMs(late), 170);
    assert.equal(starvedMs(late, 170), 0);
    assert.equal(starvedMs(late, 169), 1);
  });

  test("underrun adds up what a player with 100 ms starves, and each gap moves what comes after it", () => {
    // Plays out at 1 200, waits 50 ms; then at 1 350, waits 20 ms.
    assert.equal(starvedMs(late, 100), 70);
    assert.deepEqual(measuresOf(turn({ reply: late })).underrun, [70]);
  });

  test("a reply in one chunk cannot starve, and counts nowhere", () => {
    const single = replyOf([[1_000, 0, 300]]);
    assert.equal(worstLatenessMs(single), undefined);
    assert.equal(measuresOf(turn({ reply: single })).underrun, undefined);
  });
});

describe("a turn", () => {
  const stage = (name: string, parts: Partial<ReceiptStage>): ReceiptStage => ({
    stage: name,
    queueMs: 0,
    batchWaitMs: 0,
    computeMs: 0,
    waitMs: 0,
    batchSize: 1,
    ...parts,
  });
  const receipt: ReceiptEvent = {
    type: "receipt",
    turnIndex: 0,
    contextId: 1,
    totalMs: 820,
    stages: [
      stage("endpointing", { waitMs: 600 }),
      stage("agent", { computeMs: 150 }),
      stage("tts", { computeMs: 70 }),
    ],
    milestones: { turnEndMs: 605, sttFinalMs: 640, firstTokenMs: 750 },
  };
  const reply = { ...replyOf([[4_100, 5, 95]]), textMs: 4_000 };

  test("e2e_turn runs from the true end of speech to the first sound", () => {
    assert.deepEqual(measuresOf(turn({ speech: speech(), reply })).e2e_turn, [900]);
  });

  test("is also given without the silence, and without the language model, which begins when it has all it needs", () => {
    const measures = measuresOf(turn({ speech: speech(), reply, receipt }));
    assert.deepEqual(measures.e2e_turn_no_wait, [300]);
    // From the final transcript at 640, not from the end of turn at 605.
    assert.deepEqual(measures.e2e_turn_no_llm, [190]);
  });

  test("a reply that sounds before the caller is done is no fast turn", () => {
    const hasty = replyOf([[3_100, 0, 100]]);
    assert.equal(measuresOf(turn({ speech: speech(), reply: hasty })).e2e_turn, undefined);
  });
});

describe("a barge-in", () => {
  const interrupted = (lastStaleMs: number | undefined, interruptedMs: number | undefined): ReplyTrace => ({
    ...replyOf([[4_000, 0, 2_000]]),
    bargeIn: { speechMs: 5_000, lastStaleMs, interruptedMs, brokenCount: 0 },
  });

  test("lasts until the later of the last stale byte and the word that the reply is over", () => {
    assert.deepEqual(measuresOf(turn({ reply: interrupted(undefined, 5_120) })).bargein, [120]);
    assert.deepEqual(measuresOf(turn({ reply: interrupted(5_080, 5_120) })).bargein, [120]);
    assert.deepEqual(measuresOf(turn({ reply: interrupted(5_300, 5_120) })).bargein, [300]);
    assert.equal(measuresOf(turn({ reply: interrupted(5_080, undefined) })).bargein, undefined);
  });

  test("is missed if the reply had long to go and went on; at its end, the server may take it for over", () => {
    assert.equal(isBargeInMissed(interrupted(undefined, undefined)), true);
    assert.equal(isBargeInMissed(interrupted(undefined, 5_120)), false);
    const atTheEnd = {
      ...interrupted(undefined, undefined),
      bargeIn: { ...interrupted(0, 0).bargeIn!, speechMs: 5_700 },
    };
    assert.equal(isBargeInMissed({ ...atTheEnd, bargeIn: { ...atTheEnd.bargeIn, interruptedMs: undefined } }), false);
  });

  test("audio that comes after the word that it is over breaks the promise, and is counted", () => {
    const reply = interrupted(undefined, undefined);
    addAudio(reply, new Int16Array(160), RATE_HZ, 4_900);
    addAudio(reply, new Int16Array(160), RATE_HZ, 5_050);
    assert.deepEqual([reply.bargeIn!.lastStaleMs, reply.bargeIn!.brokenCount], [5_050, 0]);
    reply.bargeIn!.interruptedMs = 5_100;
    addAudio(reply, new Int16Array(160), RATE_HZ, 5_150);
    assert.deepEqual([reply.bargeIn!.lastStaleMs, reply.bargeIn!.brokenCount], [5_150, 1]);
  });
});
