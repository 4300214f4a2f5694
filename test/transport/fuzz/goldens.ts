/** A conversation in good order for each face, and what a client of that protocol can read. A new face is a row here. */
import { join } from "node:path";
import { createAudioEncoder } from "../../../src/audio/encode.js";
import { encodeWav } from "../../../src/audio/wav.js";
import { packageRoot } from "../../../src/base/package-root.js";
import { loadConfig } from "../../../src/config/load.js";
import type { Plan } from "../../../src/config/plan.js";
import { importNamed } from "../../../src/runtime/import-named.js";
import type { Outbound } from "../../../src/transport/faces/face.js";
import { audioFrame, rtviFrame, rtviOf, unwire, wire } from "../../support/pipecat-wire.js";
import { binary, type Message, type Packing, PLAIN, text } from "./mutations.js";

/** `configs/drop-in.yaml`, which has a route for every face. */
export async function fuzzPlan(): Promise<Plan> {
  const path = join(packageRoot(), "configs", "drop-in.yaml");
  await importNamed(path);
  const { plan } = loadConfig(path);
  return { ...plan, server: { ...plan.server, port: 0, logLevel: "silent" } };
}

export interface SocketGolden {
  readonly name: string;
  readonly path: string;
  readonly query: string;
  readonly subprotocols: readonly string[];
  /** The last one asks for the end. */
  readonly messages: readonly Message[];
  readonly packing: Packing;
  /** Whether a client of this protocol can read it. */
  isReadable(message: Outbound): boolean;
  /** Opening a codec takes milliseconds, of WebAssembly: one case in so many is tried. */
  readonly stride?: number;
  /** Codes with which a client may see its connection closed. */
  readonly closeCodes: readonly number[];
}

const REGISTERED_CODES = [1000, 1007, 1008, 1009, 1011, 1012, 1013];

function tone(sampleCount: number, loud: number): Int16Array {
  return Int16Array.from({ length: sampleCount }, (_, index) => Math.round(loud * Math.sin(index / 5)));
}

/** Five pieces of audio, each of whole `step`s of bytes, where a sample may be cut. */
function pieces(bytes: Uint8Array, step: number): Message[] {
  const size = Math.ceil(bytes.length / 5 / step) * step + step;
  return [0, 1, 2, 3, 4].map((index) => binary(bytes.subarray(index * size, (index + 1) * size)));
}

const pcm = new Uint8Array(tone(401, 9_000).buffer);

function typed(types: readonly string[], hasBinary: boolean): (message: Outbound) => boolean {
  return (message) => {
    if (typeof message !== "string") return hasBinary && message.byteLength > 0;
    return types.includes((JSON.parse(message) as { type: string }).type);
  };
}

async function oggOpus(): Promise<Uint8Array> {
  const encoder = await createAudioEncoder({ format: "opus", rateHz: 48_000 });
  const parts = [encoder.encode(tone(4_800, 5_000)).slice(), encoder.finish().slice()];
  encoder.free();
  return Buffer.concat(parts);
}

const NATIVE_TYPES = ["ready", "audio.start", "pong", "configured", "vad", "turn", "transcript", "reply", "text"];
const NATIVE_REST = ["alignment", "interrupted", "finalized", "mark", "gap", "receipt", "error", "close"];
const native = {
  path: "/v1/call",
  subprotocols: ["syrinx.v1"],
  packing: PLAIN,
  isReadable: typed([...NATIVE_TYPES, ...NATIVE_REST], true),
  closeCodes: [...REGISTERED_CODES, 1002, 4000, 4001, 4002, 4003, 4004, 4008, 4009, 4029],
} as const;

const listen = {
  path: "/v1/listen",
  subprotocols: ["token"],
  packing: PLAIN,
  isReadable: typed(["Results", "SpeechStarted", "UtteranceEnd", "Metadata", "Error"], false),
  closeCodes: REGISTERED_CODES,
} as const;
/** RTVI's JSON in a protobuf frame. */
const RTVI: Packing = {
  unpack({ data, isBinary }) {
    return isBinary ? unwire(data).message?.data : undefined;
  },
  pack: (json) => binary(wire({ message: { data: json } })),
};

function isFrame(message: Outbound): boolean {
  if (typeof message === "string") return false;
  const { audio, interruption } = unwire(message);
  return audio !== undefined || interruption !== undefined || rtviOf(message) !== undefined;
}

const rtvi = (type: string, data?: unknown): Message => binary(rtviFrame(type, data));
const INTERIMS = "interim_results=true&vad_events=true&utterance_end_ms=1000&endpointing=100";
const finalize = text({ type: "Finalize", channel: 0 });
const closeStream = text({ type: "CloseStream" });
/** As Vocode says it. */
const closeInBytes = binary(Buffer.from('{"type":"CloseStream"}'));

export async function socketGoldens(): Promise<readonly SocketGolden[]> {
  const speech = pieces(pcm, 1);
  const opus = pieces(await oggOpus(), 1);
  return [
    {
      ...native,
      name: "native",
      query: "graph=assistant&rate=16000",
      messages: [
        ...pieces(pcm, 2),
        text({ type: "configure", partials: false, events: ["transcript", "audio", "turn"] }),
        text({ type: "finalize", id: "f1" }),
        text({ type: "keepalive" }),
        text({ type: "playback", contextId: 0, playedMs: 12.5 }),
        text({ type: "interrupt" }),
        text({ type: "mark", id: "m1" }),
        text({ type: "close" }),
      ],
    },
    {
      ...native,
      name: "native, set up by a message",
      query: "graph=speak&setup=message&format=mulaw&rate=8000",
      messages: [
        text({ type: "configure", nodes: { tts: { voice: "rms" } } }),
        text({ type: "say", text: "Hello, wörld.", contextId: 1, end: true }),
        text({ type: "mark", id: "m1" }),
        text({ type: "close" }),
      ],
    },
    {
      ...listen,
      name: "deepgram-listen",
      query: `model=nova-3&encoding=linear16&sample_rate=16000&${INTERIMS}&keyterm=a%20b&no_delay=true`,
      messages: [...speech, text({ type: "KeepAlive" }), finalize, text({ type: "Finalize" }), closeStream],
    },
    {
      ...listen,
      name: "deepgram-listen, two channels of µ-law",
      query: `encoding=mulaw&sample_rate=8000&channels=2&multichannel=true&${INTERIMS}`,
      messages: [...speech, finalize, closeInBytes],
    },
    {
      ...listen,
      name: "deepgram-listen, Opus in Ogg",
      query: INTERIMS,
      stride: 29,
      messages: [...opus, finalize, closeStream],
    },
    {
      ...listen,
      name: "deepgram-listen, WAV",
      query: INTERIMS,
      stride: 29,
      messages: [...pieces(encodeWav(tone(401, 9_000), 16_000), 1), finalize, binary(new Uint8Array(0))],
    },
    {
      ...listen,
      name: "deepgram-flux",
      path: "/v2/listen",
      query: "model=flux-general-en&encoding=linear16&sample_rate=16000&eager_eot_threshold=0.4&keyterm=x",
      isReadable: typed(["Connected", "TurnInfo", "ConfigureSuccess", "ConfigureFailure", "Error"], false),
      messages: [
        ...speech,
        text({
          type: "Configure",
          thresholds: { eot_threshold: 0.8, eager_eot_threshold: 0.5, eot_timeout_ms: 4_000 },
          keyterms: ["x"],
          language_hints: ["en"],
        }),
        text({ type: "ForceEndTurn" }),
        text({ type: "KeepAlive" }),
        closeStream,
      ],
    },
    {
      ...listen,
      name: "deepgram-speak",
      path: "/v1/speak",
      query: "model=aura-2-thalia-en&encoding=linear16&sample_rate=24000",
      isReadable: typed(["Metadata", "Flushed", "Cleared", "Warning", "Error"], true),
      messages: [
        text({ type: "Flush" }),
        text({ type: "Speak", text: "Hello, wörld." }),
        text({ type: "Flush" }),
        text({ type: "Speak", text: "And more." }),
        text({ type: "Clear" }),
        text({ type: "Speak", text: "At last." }),
        text({ type: "Close" }),
      ],
    },
    {
      name: "pipecat",
      path: "/pipecat",
      query: "rate=16000&outRate=24000&token=",
      subprotocols: [],
      packing: RTVI,
      isReadable: isFrame,
      closeCodes: native.closeCodes,
      messages: [
        rtvi("client-ready", { version: "2.1.0", about: { library: "x" } }),
        binary(audioFrame(tone(400, 9_000))),
        binary(audioFrame(tone(400, 9_000), 48_000, 2)),
        rtvi("raw-audio", { base64Audio: "AAAAAAAA", sampleRate: 16_000, numChannels: 1 }),
        rtvi("client-message", { t: "finalize", d: null }),
        rtvi("send-text", { content: "Hello, wörld.", options: { run_immediately: true, audio_response: true } }),
        rtvi("dtmf", { buttons: ["1", "#"] }),
        binary(wire({ interruption: { id: 1, name: "interruption" } })),
        rtvi("disconnect-bot"),
      ],
    },
  ];
}
