/** What faces make of messages gone wrong, without a socket: many thousand of them. */
import assert from "node:assert/strict";
import { validateHeaderName, validateHeaderValue } from "node:http";
import { before, describe, test } from "node:test";
import { isSyrinxError, SyrinxError } from "../../../src/base/errors.js";
import { type Prng, seeded } from "../../../src/base/prng.js";
import { graphFactsOf } from "../../../src/transport/face-request.js";
import {
  CHANNELS_MAX,
  type ClientMessage,
  type FaceCodec,
  type FaceRequest,
} from "../../../src/transport/faces/face.js";
import { FACES } from "../../../src/transport/faces/registry.js";
import { buildRoutes, findRoute, type Route } from "../../../src/transport/routes.js";
import { faceRequest, SERVER_FACTS } from "../../support/face-request.js";
import { someEvent } from "./events.js";
import { fuzzPlan, type SocketGolden, socketGoldens } from "./goldens.js";
import { FUZZ_RUNS, type Message, mangled, mutated, PLAIN, wrongFrames, wrongJson } from "./mutations.js";

const plan = await fuzzPlan();
const routes = buildRoutes(plan);
const facts = graphFactsOf(plan);
/** Of audio in one message, whatever it is packed in: a minute, in each channel. */
const SAMPLES_MAX = 60 * 16_000 * CHANNELS_MAX;

function routeOf(path: string): Route {
  return findRoute(routes, path)!;
}

function requestFor({ path, query, subprotocols }: Pick<SocketGolden, "path" | "query" | "subprotocols">): FaceRequest {
  const { graph, options, anyGraph } = routeOf(path);
  const graphs = anyGraph ? [...facts.keys()] : [graph!];
  return faceRequest({
    path,
    method: "GET",
    query: new URLSearchParams(query),
    subprotocols,
    graph,
    graphs,
    facts,
    options,
  });
}

async function codecOf(golden: SocketGolden): Promise<FaceCodec> {
  const outcome = routeOf(golden.path).face.negotiate!(requestFor(golden), SERVER_FACTS);
  assert.ok(outcome.accepted, outcome.accepted ? "" : outcome.error.message);
  const codec = outcome.createCodec();
  await codec.ready;
  return codec;
}

/** What a message was taken for. Equal texts are equal messages, audio by its samples. */
function described(messages: readonly ClientMessage[]): string {
  return JSON.stringify(messages, (_key, value: unknown) =>
    value instanceof Int16Array ? `${value.length}:${value.reduce((sum, each) => (sum * 31 + each) | 0, 7)}` : value,
  );
}

/** One connection of a codec, as far as the codec sees it. */
class Play {
  readonly heard: string[] = [];
  readonly ids: string[] = [];
  isOver = false;

  constructor(readonly codec: FaceCodec) {}

  /** @returns what the message was: `refused`, or the types of what it was taken for. Fails on anything but a coded error. */
  send({ data, isBinary }: Message): string {
    if (this.isOver) return "";
    let messages: readonly ClientMessage[];
    try {
      messages = this.codec.decode(data, isBinary);
    } catch (error) {
      assert.ok(isSyrinxError(error), `not a coded error: ${error instanceof Error ? error.stack : String(error)}`);
      this.heard.push(error.code);
      return "refused";
    }
    this.heard.push(described(messages));
    for (const message of messages) this.#check(message);
    return messages.map(({ type }) => type).join(" ");
  }

  #check(message: ClientMessage): void {
    if (message.type === "fail") this.isOver = true;
    if ("id" in message && message.id !== undefined) this.ids.push(message.id);
    if (message.type === "audio") assert.ok(message.pcm.length <= SAMPLES_MAX, `${message.pcm.length} samples`);
    const channels = this.codec.call?.channels ?? 1;
    if ("channel" in message && message.channel !== undefined) assert.ok(message.channel < channels);
  }

  /** The call says something, whatever it is. */
  tell(chance: Prng, isReadable: SocketGolden["isReadable"]): void {
    const channel = chance.integer(0, this.codec.call?.channels ?? 1);
    const event = someEvent(chance, this.ids);
    if (event.type !== "ready" && event.type !== "pong" && event.type !== "configured") {
      for (const message of this.codec.react?.(event, channel) ?? []) this.#check(message);
    }
    for (const message of this.codec.encode(event, channel)) {
      assert.ok(isReadable(message), `of ${event.type}: ${String(message).slice(0, 200)}`);
    }
  }

  end(isReadable: SocketGolden["isReadable"]): void {
    const error = new SyrinxError("CALL_IDLE");
    const { messages, code, reason } = this.codec.end({ reason: "idle", code: "CALL_IDLE", error, closeCode: 4000 });
    assert.ok(messages.every(isReadable));
    assert.ok(Buffer.byteLength(reason) <= 123 && code >= 1000 && code < 5000);
    this.codec.dispose?.();
  }
}

async function undisturbed(golden: SocketGolden): Promise<readonly string[]> {
  const play = new Play(await codecOf(golden));
  for (const message of golden.messages) assert.notEqual(play.send(message), "refused");
  play.end(golden.isReadable);
  return play.heard;
}

/** One bad message at a place of the conversation. What was refused has left no trace in what comes behind it. */
async function checkOne(
  golden: SocketGolden,
  at: number,
  bad: Message,
  reference: readonly string[],
): Promise<boolean> {
  const play = new Play(await codecOf(golden));
  for (const message of golden.messages.slice(0, at)) play.send(message);
  const isRefused = play.send(bad) === "refused";
  if (isRefused) play.heard.pop();
  for (const message of golden.messages.slice(at)) play.send(message);
  const differs = isRefused ? play.heard.findIndex((heard, index) => heard !== reference[index]) : -1;
  const what = `${play.heard[differs]} instead of ${reference[differs]}`;
  assert.ok(differs < 0, `after ${Buffer.from(bad.data).toString().slice(0, 200)}: ${what}`);
  play.end(golden.isReadable);
  return isRefused;
}

/** The samples of each channel. */
async function audioOf(golden: SocketGolden, parts: readonly Uint8Array[]): Promise<string> {
  const codec = await codecOf(golden);
  const channels: number[][] = Array.from({ length: codec.call?.channels ?? 1 }, () => []);
  for (const part of parts) {
    for (const message of codec.decode(part, true)) {
      if (message.type === "audio") channels[message.channel ?? 0]!.push(...message.pcm);
    }
  }
  codec.dispose?.();
  return channels.join(" | ");
}

const goldens = await socketGoldens();

test("every face of the registry that has a WebSocket has a conversation here", () => {
  const spoken = new Set(goldens.map(({ path }) => routeOf(path).face.name));
  const known = [...FACES.values()].filter(({ negotiate }) => negotiate !== undefined).map(({ name }) => name);
  assert.deepEqual([...spoken].sort(), known.sort());
});

for (const [index, golden] of goldens.entries()) {
  describe(golden.name, () => {
    let reference: readonly string[];
    before(async () => {
      reference = await undisturbed(golden);
    });

    test("a message that is wrong in one place is understood or refused, and what is refused leaves no trace", async () => {
      const stride = golden.stride ?? 1;
      let cases = 0;
      let refused = 0;
      for (const [at, message] of golden.messages.entries()) {
        // Of audio, one message stands for all.
        if (message.isBinary && at > 1) continue;
        for (const bad of [...wrongJson(message, golden.packing), ...wrongFrames(message)]) {
          cases += 1;
          if (cases % stride === 0) refused += Number(await checkOne(golden, at, bad, reference));
        }
      }
      assert.ok(cases > 100 && refused > cases / stride / 10, `${refused} of ${cases} refused`);
    });

    test("conversations gone wrong end in coded errors or in messages that the protocol has, whatever the call says", async () => {
      const chance = seeded(100 + index);
      for (let round = 0; round < (400 * FUZZ_RUNS) / (golden.stride ?? 1); round++) {
        const play = new Play(await codecOf(golden));
        for (const message of mangled(chance, golden.messages, golden.packing)) {
          play.send(message);
          while (chance.next() < 0.5) play.tell(chance, golden.isReadable);
        }
        play.end(golden.isReadable);
      }
    });

    test("queries gone wrong are accepted or refused in words, never more", () => {
      const chance = seeded(200 + index);
      const { face } = routeOf(golden.path);
      for (let round = 0; round < 300 * FUZZ_RUNS; round++) {
        const whole = { data: Buffer.from(golden.query), isBinary: false };
        const query = Buffer.from(mutated(chance, whole, [whole], { unpack: () => undefined, pack: () => whole }).data);
        const outcome = face.negotiate!(requestFor({ ...golden, query: query.toString("latin1") }), SERVER_FACTS);
        const headers = (outcome.accepted ? outcome.headers : outcome.http?.headers) ?? {};
        for (const [name, value] of Object.entries(headers)) {
          validateHeaderName(name);
          validateHeaderValue(name, value);
        }
        if (outcome.accepted) continue;
        assert.notEqual(outcome.error.code, "INTERNAL");
        if (outcome.http !== undefined) assert.ok(outcome.http.status >= 400 && outcome.http.status < 500);
        else assert.ok(outcome.createCodec().end({ reason: "error", error: outcome.error, closeCode: 1008 }).code > 0);
      }
    });

    const hasAudio =
      golden.messages.some(({ data, isBinary }) => isBinary && data.length > 100) && golden.packing === PLAIN;
    test("audio cut at every byte is the same audio", { skip: !hasAudio && "no bare audio comes in" }, async () => {
      const bytes = Buffer.concat(golden.messages.flatMap(({ data, isBinary }) => (isBinary ? [data] : [])));
      // The native protocol has whole samples in each message, and refuses others.
      const step = (golden.path === "/v1/call" ? 2 : 1) * (golden.stride ?? 1);
      const whole = await audioOf(golden, [bytes]);
      for (let cut = step; cut < Math.min(bytes.length, 400); cut += step) {
        const parts = [bytes.subarray(0, cut), bytes.subarray(cut)];
        assert.equal(await audioOf(golden, parts), whole, `cut at ${cut}`);
      }
    });
  });
}
