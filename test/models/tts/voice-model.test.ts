import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AssertionFailure, assert as assertTrue } from "../../../src/base/assert.js";
import { isSyrinxError } from "../../../src/base/errors.js";
import type { SpeakRequest } from "../../../src/models/family.js";
import { type Synthesiser, type SynthesisRow, VoiceModel } from "../../../src/models/tts/voice-model.js";
import { Recorder } from "./tone-voice.js";

const RATE_HZ = 1000;

interface FakeSynthesiser extends Synthesiser<string> {
  /** The plans of each run, in order. */
  readonly runs: string[][];
}

/** A word is an utterance of one unit: as many samples as it has letters, each its letter's code. */
function fakeSynthesiser(batchMax: number): FakeSynthesiser {
  const runs: string[][] = [];
  return {
    device: "fake",
    description: "a fake",
    rateHz: RATE_HZ,
    voices: ["one"],
    batchMax,
    runs,
    plan: async (text) => {
      return text.split(" ").map((plan) => ({ plan, words: [{ text: plan, from: 0, to: 1 }], unitCount: 1 }));
    },
    synthesise: async (rows: readonly SynthesisRow<string>[], emit) => {
      runs.push(rows.map(({ plan }) => plan));
      if (rows.some(({ plan }) => plan === "bad")) throw new Error("it does not fit");
      assertTrue(!rows.some(({ plan }) => plan === "worse"), "nobody says worse");
      for (const [row, { plan }] of rows.entries()) {
        emit(
          row,
          Float32Array.from(plan, (letter) => letter.charCodeAt(0) / 32_768),
        );
      }
      return rows.map(({ plan }) => [plan.length]);
    },
    release: async () => {},
  };
}

const request = (text: string, isStale = (): boolean => false): SpeakRequest => ({ text, isStale });
const spelled = (recorder: Recorder): string => String.fromCharCode(...recorder.pcm);

async function speakAll(batchMax: number, requests: readonly SpeakRequest[]) {
  const synthesiser = fakeSynthesiser(batchMax);
  const model = new VoiceModel(synthesiser, { voice: "one", speed: 1 });
  const recorders = requests.map(() => new Recorder());
  const reports = await model.speakAll(requests, (index, pcm) => recorders[index]!.take(pcm));
  return { runs: synthesiser.runs, said: recorders.map(spelled), reports };
}

describe("a voice for several calls", () => {
  test("speaks their utterances in rounds of at most its batch", async () => {
    const { runs, said } = await speakAll(2, [request("a bb ccc"), request("d"), request("ee ff")]);
    assert.deepEqual(runs, [["a", "d"], ["ee"], ["bb", "ff"], ["ccc"]]);
    assert.deepEqual(said, ["abbccc", "d", "eeff"]);
  });

  test("traces a run that fails to the call that made it fail", async () => {
    const { runs, said, reports } = await speakAll(4, [request("a b"), request("bad c"), request("d e")]);
    assert.deepEqual(runs, [["a", "bad", "d"], ["a"], ["bad"], ["d"], ["b", "e"]]);
    assert.deepEqual(said, ["ab", "", "de"]);
    const failed = reports.map((report) => (isSyrinxError(report) ? report.code : "spoken"));
    assert.deepEqual(failed, ["spoken", "TTS_FAILED", "spoken"]);
  });

  test("passes a broken assertion on: that is no text's fault", async () => {
    await assert.rejects(speakAll(4, [request("a"), request("worse")]), AssertionFailure);
  });

  test("leaves a stale call out of the rounds that follow", async () => {
    let rounds = 0;
    const isStale = (): boolean => rounds > 0;
    const { runs, said, reports } = await speakAll(4, [
      request("a b c", isStale),
      request("d e", () => {
        rounds = 1;
        return false;
      }),
    ]);
    assert.deepEqual([runs.flat().includes("b"), said[1]], [false, "de"]);
    assert.ok(!isSyrinxError(reports[0]) && reports[0]!.spans.length === 0);
  });

  test("places words behind one another, over all utterances", async () => {
    const { reports } = await speakAll(1, [request("go home")]);
    assert.deepEqual(reports[0], {
      sampleCount: 6,
      spans: [
        { text: "go", startSample: 0, endSample: 2 },
        { text: "home", startSample: 2, endSample: 6 },
      ],
    });
  });
});
