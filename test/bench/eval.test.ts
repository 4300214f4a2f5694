/** The evaluation of the starter models: what its numbers are made of, and that it runs. What it finds is no test. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { BARS, verdictOf } from "../../bench/eval/bars.js";
import { betweenPauses, readSentences, sampleTexts, usableTranscript } from "../../bench/eval/clips.js";
import { activeRms, pinkNoise, throughTelephone, withNoise } from "../../bench/eval/conditions.js";
import { agreeing, compareStretches, energyLabels, stretchSteps, windowSteps } from "../../bench/eval/labels.js";
import { greedyPhones, phoneErrors } from "../../bench/eval/posteriors.js";
import { errorRow, isMissed, markdownOf, type Row, rowOf, tableOf } from "../../bench/eval/rows.js";
import { bootstrapInterval, errorPercent, normalisedWords, sumOf, textErrors } from "../../bench/eval/words.js";
import { joined, silence } from "../support/system.js";

function tone(ms: number, hz = 1000, peak = 8_000): Int16Array {
  return new Int16Array(ms * 16).map((_, at) => Math.round(peak * Math.sin((2 * Math.PI * hz * at) / 16_000)));
}

function rms(samples: Int16Array | Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}

function decibels(ratio: number): number {
  return 20 * Math.log10(ratio);
}

describe("word errors", () => {
  const cases: [reference: string, heard: string, substitutions: number, insertions: number, deletions: number][] = [
    ["set a timer", "set a timer", 0, 0, 0],
    ["set a timer", "", 0, 0, 3],
    ["set a timer", "set the timer", 1, 0, 0],
    ["set a timer", "set timer", 0, 0, 1],
    ["set a timer", "please set a new timer", 0, 2, 0],
    ["one two three four", "two tree four five", 1, 1, 1],
    ["", "noise", 0, 1, 0],
  ];
  for (const [reference, heard, substitutions, insertions, deletions] of cases) {
    test(`"${reference}" heard as "${heard}"`, () => {
      const words = reference === "" ? 0 : reference.split(" ").length;
      assert.deepEqual(textErrors(reference, heard), { words, substitutions, insertions, deletions });
    });
  }

  test("letters and apostrophes are compared, in lower case, whatever stands between them", () => {
    assert.deepEqual(normalisedWords("Don\u2019t, cold-hearted MR. O'Brien\u2014stop!"), [
      ..."don't cold hearted mister o'brien stop".split(" "),
    ]);
    assert.deepEqual(normalisedWords(" 'Tis the kids' \n etc. "), "tis the kids et cetera".split(" "));
  });

  test("the rate of several clips is that of their words, and lies in its interval", () => {
    const counts = ["a b c d", "a b c d", "a b x d", "x y c d"].map((heard) => textErrors("a b c d", heard));
    assert.equal(errorPercent(sumOf(counts)), (100 * 3) / 16);
    const [low, high] = bootstrapInterval(counts)!;
    assert.ok(low < 18.75 && high > 18.75 && high <= 50, `${low} … ${high}`);
    assert.deepEqual(bootstrapInterval(counts), [low, high], "seeded");
    assert.equal(bootstrapInterval(counts.slice(1, 2)), null);
  });
});

describe("phone errors", () => {
  test("are counted against the nearest forms of the words", () => {
    const words = [
      [[1, 2, 3], [4]],
      [[5, 6], [5]],
    ];
    assert.deepEqual(phoneErrors(words, [1, 2, 3, 5, 6]), { errors: 0, phones: 5 });
    assert.deepEqual(phoneErrors(words, [4, 5]), { errors: 0, phones: 5 });
    assert.deepEqual(phoneErrors(words, [1, 3, 5]), { errors: 1, phones: 5 });
    assert.deepEqual(phoneErrors(words, []), { errors: 2, phones: 5 });
  });

  test("repetitions and blanks are no phones", () => {
    const logp = new Float32Array(6 * 41).fill(-9);
    for (const [slot, label] of [0, 7, 7, 0, 7, 3].entries()) logp[slot * 41 + label] = -0.1;
    assert.deepEqual(greedyPhones(logp), [7, 7, 3]);
  });
});

describe("conditions", () => {
  test("noise is as far below the active speech as was asked, pauses not counted", () => {
    const speech = joined(silence(2_000), tone(1_000), silence(2_000));
    assert.ok(Math.abs(decibels(activeRms(speech) / rms(tone(1_000)))) < 0.1);
    for (const snrDb of [20, 10, 5]) {
      const noise = withNoise(speech, snrDb, 1).map((sample, at) => sample - speech[at]!);
      assert.ok(Math.abs(decibels(activeRms(speech) / rms(noise)) - snrDb) < 0.1, `${snrDb} dB`);
    }
  });

  test("noise is pink, of one seed the same, and of another seed another", () => {
    const noise = pinkNoise(160_000, 1);
    assert.ok(Math.abs(rms(noise) - 1) < 1e-3);
    // Differences of neighbours are mostly high frequencies: of white noise their power is 2.
    const differences = noise.subarray(1).map((sample, at) => sample - noise[at]!);
    assert.ok(rms(differences) ** 2 < 1, `${rms(differences) ** 2}`);
    assert.deepEqual(pinkNoise(100, 2), pinkNoise(100, 2));
    assert.notDeepEqual(pinkNoise(100, 2), pinkNoise(100, 3));
  });

  test("the telephone keeps length and level of what it lets through, and nothing above 4 kHz", () => {
    const voice = tone(501, 1_000);
    const heard = throughTelephone(voice);
    assert.equal(heard.length, voice.length);
    assert.ok(Math.abs(decibels(rms(heard) / rms(voice))) < 0.2);
    assert.ok(decibels(rms(throughTelephone(tone(501, 6_000))) / rms(voice)) < -40);
  });
});

describe("labels", () => {
  test("energy finds the speech, bridges short gaps and passes over clicks", () => {
    const clean = joined(silence(500), tone(400), silence(100), tone(300), silence(700), tone(20), silence(500));
    assert.deepEqual(energyLabels(clean), [[8_000, 8_000 + 800 * 16]]);
  });

  test("edges have errors, and what was missed, invented or bridged is counted instead", () => {
    const labels = [
      [1_600, 3_200],
      [16_000, 17_600],
      [32_000, 33_600],
      [40_000, 41_600],
    ] as const;
    const found = [
      [1_760, 4_800],
      [8_000, 8_800],
      [31_200, 43_200],
    ] as const;
    const { onsetMs, offsetMs, ...counts } = compareStretches(labels, found);
    assert.deepEqual(onsetMs, [10, -50]);
    assert.deepEqual(offsetMs, [100, 100]);
    assert.deepEqual(counts, { labels: 4, missed: 1, invented: 1, bridged: 1 });
  });

  test("windows of two sizes meet in steps of 10 ms, each moved by its lag", () => {
    assert.deepEqual(windowSteps([false, true], 320, 160, 640), [false, true, true, true]);
    assert.deepEqual(windowSteps([false, true], 512, 0, 960), [false, false, false, true, true, true]);
    assert.deepEqual(stretchSteps([[160, 320]], 480), [false, true, false]);
    assert.equal(agreeing([true, false, true], [true, true, true]), 2);
  });
});

describe("bars", () => {
  test("a value on the bar passes, on the aim reaches it, and one that is no number misses", () => {
    assert.equal(verdictOf(BARS.requests, 2), "pass");
    assert.equal(verdictOf(BARS.requests, 0.5), "aim reached");
    assert.equal(verdictOf(BARS.requests, 2.1), "MISSED");
    assert.equal(verdictOf(BARS.agreement, 95), "pass");
    assert.equal(verdictOf(BARS.agreement, 97), "aim reached");
    assert.equal(verdictOf(BARS.agreement, 94.9), "MISSED");
    assert.equal(verdictOf(BARS.decoding, 0), "pass");
    assert.equal(verdictOf(BARS.requests, Number.NaN), "MISSED");
  });

  test("every aim lies beyond its bar", () => {
    for (const { what, must, bar, aim } of Object.values(BARS)) {
      if (aim !== null) assert.ok(must === "be at most" ? aim < bar : aim > bar, what);
    }
  });

  test("a missed bar is what fails a check", () => {
    const counts = [textErrors("a b c d", "a b c d"), textErrors("a b c d", "a b c x")];
    assert.equal(isMissed([errorRow({ set: "s" }, counts), errorRow({ set: "s", bar: "rms" }, counts)]), false);
    assert.equal(isMissed([errorRow({ set: "s", bar: "requests" }, counts)]), true);
  });
});

describe("rows", () => {
  const row = errorRow({ set: "some set", bar: "requests", note: "a note" }, [textErrors("a b", "a x")]);
  const detail = rowOf({ set: "one clip", measure: "m", unit: "ms", value: 1, clips: 1, isDetail: true });

  test("tables show the bar, its aim and the errors, and leave single clips out", () => {
    assert.match(
      tableOf([row, detail]),
      /some set +clean +word errors +1 +2 +50\.0 % +1\/0\/0 +≤ 2 +0\.5 +MISSED +a note$/,
    );
    assert.match(markdownOf([row, detail]), /\| some set \[1\] \| clean \|.*\n\n\[1\] a note$/);
    assert.doesNotMatch(tableOf([row, detail]), /one clip/);
  });

  test("what was not measured is no row", () => {
    assert.throws(() => errorRow({ set: "nothing" }, []), /nothing was measured/);
  });
});

describe("clips", () => {
  test("sentences and samples have texts", () => {
    assert.equal(sampleTexts().get("timer.wav"), "Set a timer for ten minutes.");
    const { requests, general } = readSentences();
    for (const text of [...requests, ...general]) assert.ok(normalisedWords(text).length > 0 && !/\d/.test(text), text);
  });

  test("transcripts that are missing, abridged or not English are not used", () => {
    assert.equal(usableTranscript("a.wav", "").why, "no transcript");
    assert.equal(usableTranscript("a.wav", "turn on the ... lamp").why, "an abridged transcript");
    assert.equal(usableTranscript("a.wav", "广州市").why, "not English");
    assert.deepEqual(usableTranscript("a.wav", "It’s a café."), { text: "It’s a café.", why: "" });
    assert.match(usableTranscript("two_cities_16k.wav", "It was the best of times, ... (opening)").text, /only\.$/);
  });

  test("a word cut at its edges is put between pauses", async () => {
    const pcm = await betweenPauses({ name: "x", text: "x", read: async () => tone(200) }, 1).read();
    assert.equal(pcm.length, (300 + 200 + 500) * 16);
    assert.ok(rms(pcm.subarray(0, 4_800)) < 36 && rms(pcm.subarray(0, 4_800)) > 0);
  });
});

const MAIN = fileURLToPath(new URL("../../bench/eval/main.js", import.meta.url));

function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe("the command", () => {
  test("a quick run prints rows of JSON alone, and its exit says whether a bar was missed", async () => {
    const args = ["--quick", "--json", "--check", "--only", "known", "--speech", "no-such-folder"];
    const { code, stdout, stderr } = await run(...args);
    const rows = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Row);
    assert.deepEqual(
      rows.map(({ condition }) => condition),
      ["clean", "clean", "clean", "clean", "20 dB", "10 dB", "5 dB", "8 kHz µ-law"],
    );
    for (const { measure, value, words, clips, errors } of rows) {
      assert.equal(measure, "word errors");
      assert.ok(value >= 0 && words! > 0 && clips > 0 && errors !== null);
    }
    const { bar, aim, verdict } = rows.find(({ set, condition }) => set === "known voices" && condition === "clean")!;
    assert.deepEqual({ bar, aim }, { bar: BARS.known.bar, aim: BARS.known.aim });
    assert.equal(code, verdict === "MISSED" ? 1 : 0);
    assert.match(stderr, /^recogniser stt-en\.onnx, sha256 [0-9a-f]{12}$/m);
    assert.match(stderr, /^skipped: the set "known" of made voices: not in no-such-folder/m);
  });

  test("an unknown part is refused with the parts that there are", async () => {
    const { code, stderr } = await run("--only", "speach");
    assert.equal(code, 1);
    assert.match(stderr, /no part's name contains speach.*\n {2}samples /);
  });
});
