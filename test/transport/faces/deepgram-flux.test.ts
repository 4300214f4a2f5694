import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { turnOptions } from "../../../src/actors/turn-policy.js";
import { seeded } from "../../../src/base/prng.js";
import type { TranscriptEvent, TurnEvent } from "../../../src/frames/events.js";
import { deepgramFlux as face } from "../../../src/transport/faces/deepgram-flux.js";
import { TurnTuning } from "../../../src/transport/faces/deepgram-flux-request.js";
import type { FaceCodec, Outbound } from "../../../src/transport/faces/face.js";
import { Listening } from "../../support/listening.js";
import { codecOf, decodeAny, graph, refusalOf, text } from "./deepgram-support.js";

const RAW = "model=flux-general-en&encoding=linear16&sample_rate=16000";
const EAGER = `${RAW}&eager_eot_threshold=0.4`;

interface Info {
  readonly type: string;
  readonly sequence_id: number;
  readonly event: "Update" | "StartOfTurn" | "EagerEndOfTurn" | "TurnResumed" | "EndOfTurn";
  readonly turn_index: number;
  readonly transcript: string;
  readonly words: { word: string; confidence: number; start: number; end: number }[];
  readonly audio_window_start: number;
  readonly audio_window_end: number;
  readonly end_of_turn_confidence: number;
  readonly trigger?: string;
}

function said(final: boolean, text: string, endMs: number, turnIndex = 0): TranscriptEvent {
  const words = text
    .split(" ")
    .filter((word) => word !== "")
    .map((word, at) => ({ text: word, startMs: at * 100, endMs: at * 100 + 90, confidence: 0.8 }));
  return {
    type: "transcript",
    final,
    segmentId: 0,
    turnIndex,
    text,
    stableChars: 0,
    words,
    startMs: 0,
    endMs,
    confidence: 0.8,
  };
}

function turn(what: TurnEvent["what"], atMs: number, more: Partial<TurnEvent> = {}): TurnEvent {
  return { type: "turn", what, turnIndex: 0, atMs, confidence: 1, trigger: "timeout", ...more };
}

function parsed(messages: readonly Outbound[]): Info[] {
  return messages.map((message) => JSON.parse(String(message)) as Info);
}

/** What a graph with this turn detector is set to. */
async function floorOf(query: string, node = graph()): Promise<unknown> {
  const codec = await codecOf(face, query, { facts: new Map([["hear", node]]) });
  return codec.call?.options.nodes?.floor;
}

const MODEL = graph({ kind: "model" });

describe("deepgram-flux negotiation", () => {
  test("sets a turn model to Flux's thresholds, and never announces an eager end that nobody asked for", async () => {
    assert.deepEqual(await floorOf(RAW, MODEL), { threshold: 0.5, eagerThreshold: null, timeoutMs: 3_000 });
    const query = `${RAW}&eot_threshold=0.8&eager_eot_threshold=0.6&eot_timeout_ms=2000`;
    assert.deepEqual(await floorOf(query, MODEL), { threshold: 0.8, eagerThreshold: 0.6, timeoutMs: 2_000 });
  });

  test("where silence decides, a threshold is a length of silence: the graph's own is worth 0.7", async () => {
    const endMs = async (query: string): Promise<number> => ((await floorOf(query)) as { endMs: number }).endMs;
    assert.ok(Math.abs((await endMs(RAW)) - 600) < 1e-6);
    const lengths = await Promise.all([0.5, 0.6, 0.7, 0.8, 0.9].map((at) => endMs(`${RAW}&eot_threshold=${at}`)));
    assert.deepEqual(
      [...lengths].sort((a, b) => a - b),
      lengths,
      "surer is longer",
    );
    assert.equal(await endMs(`${RAW}&eot_threshold=1`), 5_000, "the timeout alone");
    assert.equal(await endMs(`${RAW}&eot_threshold=0.9&eot_timeout_ms=500`), 500);
    const eager = (await floorOf(EAGER)) as { eagerMs: number };
    assert.ok(eager.eagerMs > 200 && eager.eagerMs < 300, `${eager.eagerMs}`);
    const tuning = new TurnTuning(graph());
    assert.ok(Math.abs(tuning.confidenceOf(eager.eagerMs) - 0.4) < 1e-9, "there and back");
    assert.equal(((await floorOf(RAW)) as { eagerMs: unknown }).eagerMs, null);
  });

  test("what it sets is what the turn detector takes", async () => {
    for (const node of [graph(), MODEL]) {
      for (const query of [RAW, EAGER, `${RAW}&eot_timeout_ms=60000&eot_threshold=1&eager_eot_threshold=0.9`]) {
        const own = node.nodes.find(({ actor }) => actor === "turn")!.options as object;
        const merged = Object.entries({ ...own, ...((await floorOf(query, node)) as object) });
        turnOptions.parse(Object.fromEntries(merged.filter(([, value]) => value !== null)));
      }
    }
  });

  test("refuses thresholds outside of Flux's, and a graph without turns", () => {
    const wrong = [
      `${RAW}&eot_threshold=0.4`,
      `${RAW}&eot_timeout_ms=100`,
      `${RAW}&eager_eot_threshold=0.95`,
      `${RAW}&eager_eot_threshold=0.8&eot_threshold=0.6`,
      `${RAW}&eot_threshold=high`,
    ];
    for (const query of wrong) assert.equal(refusalOf(face, query).status, 400, query);
    const tells = new Set(["vad", "turn", "transcript.final"] as const);
    const reaches = new Map([["scribe", new Set(["audio.in", "turn"] as const)]]);
    assert.equal(face.lacks?.(graph(), { tells, reaches }), undefined);
    assert.match(face.lacks?.(graph(), { tells, reaches: new Map() }) ?? "", /vad → turn → stt/);
  });
});

describe("deepgram-flux", () => {
  test("tells a turn as Flux does", async () => {
    const codec = await codecOf(face, EAGER);
    const all: Info[] = [];
    const hear = (event: Parameters<FaceCodec["encode"]>[0]): Info[] => {
      const told = parsed(codec.encode(event, 0));
      all.push(...told);
      return told;
    };
    assert.equal(hear({ type: "ready", callId: "c", graph: "hear" })[0]?.type, "Connected");
    hear({ type: "vad", what: "start", atMs: 100, probability: 1 });
    assert.deepEqual(hear(turn("start", 100)), [], "no words yet");
    assert.equal(hear(said(false, "set", 300))[0]?.event, "StartOfTurn");
    assert.deepEqual(hear(said(false, "set a", 400)), [], "too soon");
    assert.equal(hear(said(false, "set a timer", 700))[0]?.event, "Update");
    const eager = turn("eager_end", 700);
    const [join] = codec.react?.(eager, 0) ?? [];
    assert.ok(join?.type === "mark");
    assert.deepEqual(hear(eager), [], "the last words may be under way");
    assert.equal(hear(said(true, "set a timer please", 900))[0]?.event, "Update");
    const [announced] = hear({ type: "mark", id: join.id });
    assert.equal(announced?.event, "EagerEndOfTurn");
    assert.equal(announced.transcript, "set a timer please");
    assert.equal(announced.end_of_turn_confidence, 0.4);
    const end = turn("end", 700);
    const [second] = codec.react?.(end, 0) ?? [];
    assert.ok(second?.type === "mark" && second.id !== join.id);
    hear(end);
    const [over] = hear({ type: "mark", id: second.id });
    assert.deepEqual(
      [over?.event, over?.transcript, over?.trigger, over?.end_of_turn_confidence, over?.turn_index],
      ["EndOfTurn", "set a timer please", "model", 0.7, 0],
    );
    assert.deepEqual(over?.words[1], { word: "a", confidence: 0.8, start: 0.1, end: 0.19 });
    assert.equal(hear(said(false, "next", 2_000, 1))[0]?.turn_index, 1);
    assert.deepEqual(
      all.map(({ sequence_id }) => sequence_id),
      all.map((_, index) => index),
    );
  });

  test("a turn that ends by force is manual; one that a silent client left open is a timeout", async () => {
    const over = async (isForced: boolean): Promise<Info> => {
      const codec = await codecOf(face, RAW);
      codec.encode(said(true, "hello", 500), 0);
      if (isForced) {
        const [forced] = codec.decode(text({ type: "ForceEndTurn" }), false);
        assert.ok(forced?.type === "finalize");
      }
      codec.encode(turn("end", 500, { trigger: "manual" }), 0);
      return parsed(codec.encode({ type: "mark", id: "words-0" }, 0))[0]!;
    };
    assert.equal((await over(true)).trigger, "manual");
    assert.equal((await over(false)).trigger, "timeout");
  });

  test("acknowledges every Configure, and changes the nodes only of those that are right", async () => {
    const codec = await codecOf(face, EAGER);
    const thresholds = { eot_threshold: 0.8, eot_timeout_ms: 4_000 };
    const [change] = codec.decode(
      text({ type: "Configure", thresholds, keyterms: ["Syrinx"], language_hints: ["en"] }),
      false,
    );
    assert.ok(change?.type === "configure");
    const { floor, scribe } = change.options.nodes as Record<string, Record<string, unknown>>;
    assert.deepEqual(scribe, { keyterms: ["Syrinx"] });
    assert.ok((floor?.endMs as number) > 600 && (floor?.eagerMs as number) > 0, "eager stays");
    const [done] = codec.encode({ type: "configured" }, 0);
    assert.deepEqual(JSON.parse(String(done)), {
      type: "ConfigureSuccess",
      request_id: "00000000-0000-4000-8000-000000000001",
      sequence_id: 0,
      thresholds: { eot_threshold: 0.8, eager_eot_threshold: 0.4, eot_timeout_ms: 4_000 },
      keyterms: ["Syrinx"],
      language_hints: ["en"],
    });
    const [away] = codec.decode(text({ type: "Configure", thresholds: { eager_eot_threshold: null } }), false);
    assert.ok(away?.type === "configure");
    assert.equal(away.options.nodes?.floor?.eagerMs, null);
    codec.encode({ type: "configured" }, 0);
    for (const wrong of [
      { thresholds: { eot_threshold: 3 } },
      { thresholds: 1 },
      { keyterms: "x" },
      { thresholds: { eager_eot_threshold: 0.85 } },
    ]) {
      const [answer] = codec.decode(text({ type: "Configure", ...wrong }), false);
      assert.ok(answer?.type === "answer", JSON.stringify(wrong));
      const failure = JSON.parse(String(answer.messages[0])) as Record<string, unknown>;
      assert.equal(failure.type, "ConfigureFailure");
      assert.ok(typeof failure.error_code === "string" && typeof failure.description === "string");
    }
    codec.decode(text({ type: "Configure" }), false);
    const [refused] = codec.encode(
      { type: "error", code: "CALL_OPTION_INVALID", message: "m", hint: "h", fatal: false },
      0,
    );
    assert.equal((JSON.parse(String(refused)) as { type: string }).type, "ConfigureFailure");
  });

  test("ends with the turn that is open and 1000; an error says all keys that clients read", async () => {
    const codec = await codecOf(face, RAW);
    codec.encode(said(true, "good bye", 500), 0);
    assert.equal(codec.decode(text({ type: "CloseStream" }), false).at(-1)?.type, "close");
    const { messages, code } = codec.end({ reason: "client", closeCode: 1000 });
    assert.equal(code, 1000);
    assert.deepEqual(
      parsed(messages).map(({ event, transcript, trigger }) => [event, transcript, trigger]),
      [["EndOfTurn", "good bye", "manual"]],
    );
    const fatal = { type: "error", code: "CALL_POISON", message: "m", hint: "h", fatal: true } as const;
    const [failure] = (await codecOf(face, RAW)).encode(fatal, 0);
    const keys = Object.keys(JSON.parse(String(failure)) as object);
    for (const key of ["type", "sequence_id", "code", "description", "error"]) assert.ok(keys.includes(key), key);
    assert.deepEqual((await codecOf(face, RAW)).encode({ ...fatal, fatal: false }, 0), []);
  });

  test("takes CloseStream as bytes too, and KeepAlive and what it does not know without a word", async () => {
    const codec = await codecOf(face, RAW);
    assert.deepEqual(codec.decode(text({ type: "KeepAlive" }), false), [{ type: "keepalive" }]);
    assert.deepEqual(codec.decode(text({ type: "Other" }), false), []);
    assert.equal(codec.decode(text({ type: "CloseStream" }), true).at(-1)?.type, "close");
  });
});

const AFTER: Readonly<Record<string, string>> = { EndOfTurn: "waiting", EagerEndOfTurn: "eager" };

/** Follows Flux's state machine through the messages. @returns how many turns ended */
function checkMachine(infos: readonly Info[], name: string): number {
  let index = 0;
  let state = "waiting";
  let eagerText = "";
  let windowEnd = 0;
  for (const [at, info] of infos.entries()) {
    const where: string = `${name}, message ${at}: ${info.event} while ${state}`;
    assert.equal(info.turn_index, index, where);
    assert.ok(info.audio_window_end >= windowEnd && info.audio_window_end >= info.audio_window_start, where);
    windowEnd = info.audio_window_end;
    if (info.event !== "EndOfTurn" && info.event !== "TurnResumed") assert.notEqual(info.transcript, "", where);
    assert.equal(info.words.length > 0, info.transcript !== "", where);
    assert.equal(info.trigger !== undefined, info.event === "EndOfTurn", where);
    if (info.event === "StartOfTurn") assert.equal(state, "waiting", where);
    else if (info.event === "TurnResumed") assert.equal(state, "eager", where);
    else if (info.event === "EndOfTurn") assert.notEqual(state, "waiting", where);
    else assert.equal(state, "ongoing", where);
    if (info.event === "EndOfTurn" && state === "eager") assert.equal(info.transcript, eagerText, where);
    eagerText = info.transcript;
    if (info.event === "EndOfTurn") index += 1;
    state = AFTER[info.event] ?? "ongoing";
  }
  assert.equal(state, "waiting", `${name}: the last turn ended`);
  return index;
}

describe("deepgram-flux, whatever is said", () => {
  async function converse(seed: number, query: string): Promise<{ messages: Info[]; said: string }> {
    const chance = seeded(seed);
    const codec = await codecOf(face, query);
    const listening = new Listening(codec, chance, { hasTurns: true, hasWordTimes: seed % 3 !== 0 });
    for (let step = 0; step < 250; step++) {
      listening.send(new Uint8Array(3_200));
      listening.hear(100);
      if (chance.next() < 0.03) listening.send(JSON.stringify({ type: "ForceEndTurn" }));
      if (chance.next() < 0.03) listening.send(JSON.stringify({ type: "Configure", keyterms: ["x"] }));
    }
    listening.send(JSON.stringify({ type: "CloseStream" }));
    return { messages: listening.messages as unknown as Info[], said: listening.said() };
  }

  test("the machine of its documentation holds", async () => {
    let turns = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const { messages } = await converse(seed, EAGER);
      assert.equal(messages[0]?.type, "Connected");
      for (const [index, { sequence_id }] of messages.entries()) assert.equal(sequence_id, index, `seed ${seed}`);
      turns += checkMachine(
        messages.filter(({ type }) => type === "TurnInfo"),
        `seed ${seed}`,
      );
    }
    assert.ok(turns > 100, `${turns}`);
  });

  test("the machine holds too when detectors and recogniser do not agree", async () => {
    let resumed = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const chance = seeded(seed);
      const codec = await codecOf(face, EAGER);
      const told: Outbound[] = [];
      let index = 0;
      let asked = 0;
      let returned = 0;
      for (let step = 1; step < 200; step++) {
        const what = chance.pick(["start", "eager_end", "resumed", "end"] as const);
        const words = chance.pick(["one", "one two", "one two three", "four", ""]);
        const who = chance.pick(["recogniser", "detector", "mark"] as const);
        if (who === "recogniser") {
          told.push(...codec.encode(said(chance.next() < 0.4, words, step * 100, index + chance.integer(0, 2)), 0));
        } else if (who === "detector") {
          asked += what === "end" || what === "eager_end" ? 1 : 0;
          told.push(...codec.encode(turn(what, step * 100, { turnIndex: index }), 0));
          if (what === "end") index += 1;
        } else if (returned < asked) {
          told.push(...codec.encode({ type: "mark", id: `words-${returned}` }, 0));
          returned += 1;
        }
      }
      codec.decode(text({ type: "CloseStream" }), false);
      told.push(...codec.end({ reason: "client", closeCode: 1000 }).messages);
      checkMachine(parsed(told), `seed ${seed}`);
      resumed += parsed(told).filter(({ event }) => event === "TurnResumed").length;
    }
    assert.ok(resumed > 20, `${resumed}`);
  });

  test("all words are told in the end, each in one turn; without a threshold nothing is eager", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { messages, said } = await converse(seed, RAW);
      const ends = messages.filter(({ event }) => event === "EndOfTurn");
      const starts = messages.filter(({ event }) => event === "StartOfTurn");
      assert.equal(starts.length, ends.length);
      assert.ok(!messages.some(({ event }) => event === "EagerEndOfTurn" || event === "TurnResumed"), `seed ${seed}`);
      assert.equal(ends.map(({ transcript }) => transcript).join(" "), said, `seed ${seed}`);
    }
  });
});

test("deepgram-flux throws nothing but coded errors, and still hears what comes next", async () => {
  const chance = seeded(78);
  const seeds = [
    '{"type":"Configure","thresholds":{"eot_threshold":0.8},"keyterms":["x"]}',
    '{"type":"Configure","thresholds":null,"keyterms":{},"__proto__":{}}',
    '{"type":"ForceEndTurn"}',
    "[]",
  ];
  for (let round = 0; round < 80; round++) {
    const codec = await codecOf(face, round % 2 === 0 ? RAW : "model=x");
    for (let step = 0; step < 12; step++) {
      const bytes = Buffer.from(chance.pick(seeds));
      const cut = bytes.subarray(0, chance.integer(0, bytes.length + 1));
      if (chance.next() < 0.5) cut[chance.integer(0, Math.max(1, cut.length))] = chance.integer(0, 256);
      const noise = Uint8Array.from({ length: chance.integer(1, 300) }, () => chance.integer(0, 256));
      decodeAny(codec, chance.next() < 0.3 ? noise : cut, chance.next() < 0.5);
    }
    codec.dispose?.();
  }
  const codec = await codecOf(face, RAW);
  for (const junk of ["{", '{"type":1}', "x".repeat(20_000)]) decodeAny(codec, text(junk), false);
  assert.equal(decodeAny(codec, new Uint8Array(3_200), true), "audio");
  assert.equal(decodeAny(codec, text({ type: "ForceEndTurn" }), false), "finalize");
});
