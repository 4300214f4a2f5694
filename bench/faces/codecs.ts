/** What one message costs each face's codec, in this process, without a socket. */
import { loadConfig } from "../../src/config/load.js";
import type { AudioEvent, TranscriptEvent, TurnEvent } from "../../src/frames/events.js";
import { importNamed } from "../../src/runtime/import-named.js";
import { graphFactsOf } from "../../src/transport/face-request.js";
import type { FaceCodec, FaceRequest, ServerFacts } from "../../src/transport/faces/face.js";
import { buildRoutes } from "../../src/transport/routes.js";
import { numberIn, type VariantParameters } from "../harness/bench.js";
import { DROP_IN } from "./server.js";

const SERVER: ServerFacts = {
  name: "syrinx",
  version: "0",
  idleTimeoutMs: 300_000,
  messageBytes: 65_536,
  audioMessageBytes: 32_768,
  paceFactor: 2,
  paceBurstMs: 5_000,
};

const LISTEN = "encoding=linear16&sample_rate=16000&interim_results=true";
const WORDS = "set a timer for ten minutes and turn off the kitchen lights please".split(" ");

const transcript: TranscriptEvent = {
  type: "transcript",
  final: false,
  segmentId: 0,
  turnIndex: 0,
  text: WORDS.join(" "),
  stableChars: 0,
  words: WORDS.map((text, index) => ({ text, startMs: index * 200, endMs: index * 200 + 180, confidence: 0.93 })),
  startMs: 0,
  endMs: 2_400,
  confidence: 0.93,
};
const speech: AudioEvent = { type: "audio", contextId: 0, rateHz: 24_000, offsetSamples: 0, pcm: new Int16Array(480) };
const eager: TurnEvent = {
  type: "turn",
  what: "eager_end",
  turnIndex: 0,
  atMs: 2_400,
  confidence: 0.8,
  trigger: "model",
};
const resumed: TurnEvent = { ...eager, what: "resumed" };

/** An AudioRawFrame: 20 ms of 16 kHz in Frame's field 2. */
function audioFrame(): Uint8Array {
  const audio = new Uint8Array(640);
  const inner = Buffer.concat([Buffer.from([0x1a, 0x80, 0x05]), audio, Buffer.from([0x20, 0x80, 0x7d, 0x28, 0x01])]);
  return Buffer.concat([Buffer.from([0x12, (inner.length & 0x7f) | 0x80, inner.length >> 7]), inner]);
}

type Work = (codec: FaceCodec) => void;
const hear =
  (bytes: Uint8Array): Work =>
  (codec) =>
    codec.decode(bytes, true);
const ms20 = new Uint8Array(640);
const ms100 = new Uint8Array(3_200);
const say = Buffer.from(JSON.stringify({ type: "Speak", text: "The kitchen lights are off now." }));

interface Row {
  readonly path: string;
  readonly query: string;
  readonly work: Readonly<Record<string, Work>>;
}

const ROWS: Readonly<Record<string, Row>> = {
  native: {
    path: "/v1/call",
    query: "graph=assistant",
    work: {
      "20 ms of audio in": hear(ms20),
      "100 ms of audio in": hear(ms100),
      "transcript of 12 words out": (codec) => codec.encode(transcript, 0),
      "20 ms of audio out": (codec) => codec.encode(speech, 0),
    },
  },
  "deepgram-listen": {
    path: "/v1/listen",
    query: LISTEN,
    work: {
      "20 ms of audio in": hear(ms20),
      "100 ms of audio in": hear(ms100),
      "Results of 12 words out": (codec) => codec.encode(transcript, 0),
    },
  },
  "deepgram-listen, µ-law at 8 kHz": {
    path: "/v1/listen",
    query: "encoding=mulaw&sample_rate=8000",
    work: { "20 ms of audio in": hear(new Uint8Array(160)), "100 ms of audio in": hear(new Uint8Array(800)) },
  },
  "deepgram-flux": {
    path: "/v2/listen",
    query: `${LISTEN}&eager_eot_threshold=0.4`,
    work: {
      "20 ms of audio in": hear(ms20),
      "100 ms of audio in": hear(ms100),
      "two TurnInfos of 12 words out": (codec) => {
        codec.encode(eager, 0);
        codec.encode({ type: "mark", id: `words-${Number.MAX_SAFE_INTEGER}` }, 0);
        codec.encode(resumed, 0);
      },
    },
  },
  "deepgram-speak": {
    path: "/v1/speak",
    query: "",
    work: {
      "Speak in": (codec) => codec.decode(say, false),
      "20 ms of audio out": (codec) => codec.encode(speech, 0),
    },
  },
  pipecat: {
    path: "/pipecat",
    query: "",
    work: {
      "20 ms of audio in": hear(audioFrame()),
      "user-transcription out": (codec) => codec.encode(transcript, 0),
      "20 ms of audio out": (codec) => codec.encode(speech, 0),
    },
  },
};

export async function codecs(parameters: VariantParameters): Promise<Record<string, number>> {
  const rounds = numberIn(parameters, "rounds");
  await importNamed(DROP_IN);
  const { plan } = loadConfig(DROP_IN);
  const routes = buildRoutes(plan);
  const facts = graphFactsOf(plan);
  const sample: Record<string, number> = {};
  for (const [name, { path, query, work }] of Object.entries(ROWS)) {
    const { face, graph, options } = routes.get(path)!;
    const request: FaceRequest = {
      requestId: "00000000-0000-4000-8000-000000000001",
      method: "GET",
      path,
      query: new URLSearchParams(query),
      headers: {},
      subprotocols: [],
      graph,
      graphs: [...facts.keys()],
      facts,
      options,
    };
    for (const [what, act] of Object.entries(work)) {
      const outcome = face.negotiate!(request, SERVER);
      if (!outcome.accepted) throw outcome.error;
      const codec = outcome.createCodec();
      await codec.ready;
      codec.encode({ type: "ready", callId: "call", graph: "graph" }, 0);
      codec.encode(transcript, 0);
      sample[`${name}: ${what}`] = microsecondsOf(() => act(codec), rounds);
      codec.dispose?.();
    }
  }
  return sample;
}

/** The fastest of ten stretches: whoever else uses the machine makes some slower, and none faster. */
function microsecondsOf(act: () => void, rounds: number): number {
  for (let round = 0; round < rounds; round++) act();
  let best = Number.POSITIVE_INFINITY;
  for (let stretch = 0; stretch < 10; stretch++) {
    const fromMs = performance.now();
    for (let round = 0; round < rounds; round++) act();
    best = Math.min(best, (1000 * (performance.now() - fromMs)) / rounds);
  }
  return best;
}
