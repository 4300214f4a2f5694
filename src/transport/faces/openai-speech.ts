/** OpenAI's `POST /v1/audio/speech`: https://platform.openai.com/docs/api-reference/audio/createSpeech. */
import { z } from "zod";
import type { SpeechFormat } from "../../audio/encode.js";
import { SyrinxError } from "../../base/errors.js";
import type { Face, FaceRequest } from "./face.js";
import { lacksVoice, speakingNode } from "./graph-node.js";
import { openaiRefusal } from "./openai.js";
import { wrongBody } from "./request-body.js";
import type { RestBody, SpeakJob } from "./rest.js";
import { sse } from "./sse.js";
import { nodesFor, openaiVoice, type VoiceOptions, voiceShape } from "./voices.js";

/** Characters of one text. At it: 400. */
export const INPUT_CHARS_MAX = 4_096;
/** Clients take bare PCM to have this rate. */
const RATE_HZ = 24_000;
/** What OpenAI allows, and what the voices can do: beyond, they go as slow or as fast as they can. */
const SPEED = { min: 0.25, max: 4, spokenMin: 0.5, spokenMax: 2 } as const;

const routeOptions = z.strictObject(voiceShape);

const CONTENT_TYPES = {
  mp3: "audio/mpeg",
  opus: "audio/ogg",
  flac: "audio/flac",
  wav: "audio/wav",
  pcm: "audio/pcm",
} as const satisfies Partial<Record<SpeechFormat, string>>;

const formatNames = Object.keys(CONTENT_TYPES) as (keyof typeof CONTENT_TYPES)[];

/** What is not here (`instructions`, `model`) makes no difference. */
const fields = z.object({
  input: z.string().min(1).max(INPUT_CHARS_MAX),
  voice: z.union([z.string().min(1).max(100), z.object({ id: z.string().min(1).max(100) })]).default("alloy"),
  response_format: z.enum(formatNames).default("mp3"),
  speed: z.number().min(SPEED.min).max(SPEED.max).optional(),
  stream_format: z.enum(["audio", "sse"]).default("audio"),
});

export const openaiSpeech: Face = {
  name: "openai-speech",
  parseOptions: (options) => routeOptions.parse(options),
  lacks: lacksVoice,
  refusal: openaiRefusal,
  rest: { methods: ["POST"], job },
};

function job(request: FaceRequest, body: RestBody): SpeakJob {
  const { input, voice, response_format: format, speed, stream_format: framing } = fieldsOf(body);
  const { graph, node } = speakingNode(request);
  const { voices } = request.options as VoiceOptions;
  const name = openaiVoice(typeof voice === "string" ? voice : voice.id, voices, node);
  const pace = speed === undefined ? undefined : Math.min(SPEED.spokenMax, Math.max(SPEED.spokenMin, speed));
  const job: SpeakJob = {
    kind: "speak",
    text: input,
    call: { graph, options: { outputRateHz: RATE_HZ, nodes: nodesFor(node, name, pace) } },
    format,
    rateHz: RATE_HZ,
    contentType: CONTENT_TYPES[format],
  };
  return framing === "audio" ? job : { ...job, contentType: "text/event-stream", codec: eventsOf(input) };
}

function fieldsOf(body: RestBody): z.infer<typeof fields> {
  if (body.kind !== "json") throw wrongBody(body, "application/json");
  const parsed = fields.safeParse(body.value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const field = issue.path.map(String).join(".") || "body";
  throw new SyrinxError("HTTP_FIELD", { field, problem: issue.message });
}

/** Server-sent events. Tokens are counted by OpenAI's own rules of thumb: four characters, or 50 ms of speech, are one. */
function eventsOf(input: string): NonNullable<SpeakJob["codec"]> {
  return {
    encode: (piece) => sse({ type: "speech.audio.delta", audio: Buffer.from(piece).toString("base64") }),
    end(totalSamples) {
      const inputTokens = Math.ceil(input.length / 4);
      const outputTokens = Math.ceil((totalSamples * 20) / RATE_HZ);
      const usage = {
        input_tokens: inputTokens,
        output_tokens: outputTokens,
        total_tokens: inputTokens + outputTokens,
      };
      return sse({ type: "speech.audio.done", usage });
    },
  };
}
