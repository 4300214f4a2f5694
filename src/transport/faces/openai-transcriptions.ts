/**
 * OpenAI's `POST /v1/audio/transcriptions` and `/v1/audio/translations`:
 * https://platform.openai.com/docs/api-reference/audio.
 */
import { z } from "zod";
import { SyrinxError } from "../../base/errors.js";
import type { Face, FaceRequest } from "./face.js";
import { lacksRecogniser, listeningNode } from "./graph-node.js";
import { openaiRefusal, TRANSCRIPTION_MODELS } from "./openai.js";
import { type Wanted, wholeCodec } from "./openai-transcript.js";
import { streamedCodec } from "./openai-transcript-stream.js";
import { wrongBody } from "./request-body.js";
import type { RestBody, TranscribeJob } from "./rest.js";

const routeOptions = z.strictObject({});
const FORMATS = ["json", "text", "srt", "vtt", "verbose_json"] as const;
/** Of OpenAI's models, the one that answers in one piece whatever is asked. */
const NEVER_STREAMS = TRANSCRIPTION_MODELS[0];
/** As many as a recogniser takes. */
const KEYTERMS_MAX = 100;

export const openaiTranscriptions: Face = {
  name: "openai-transcriptions",
  parseOptions: (options) => routeOptions.parse(options),
  lacks: lacksRecogniser,
  refusal: openaiRefusal,
  rest: { methods: ["POST"], job: (request, body) => jobOf(request, formOf(body), "transcribe") },
};

export const openaiTranslations: Face = {
  name: "openai-translations",
  parseOptions: (options) => routeOptions.parse(options),
  lacks: lacksRecogniser,
  refusal: openaiRefusal,
  rest: {
    methods: ["POST"],
    job(request, body) {
      const { graph, node } = listeningNode(request);
      const { task } = (node.model?.options ?? {}) as { readonly task?: unknown };
      if (task === "translate") return jobOf(request, formOf(body), "translate");
      throw invalid("model", `the model of graph ${graph} does not translate`);
    },
  },
};

type Form = Extract<RestBody, { kind: "form" }>;

function formOf(body: RestBody): Form {
  if (body.kind === "form") return body;
  throw wrongBody(body, "multipart/form-data");
}

function jobOf(request: FaceRequest, form: Form, task: Wanted["task"]): TranscribeJob {
  const upload = form.files.get("file");
  if (upload === undefined) throw invalid("file", "it is the recording, and it is missing");
  if (upload.byteCount === 0) throw invalid("file", "it is empty");
  const { graph, node } = listeningNode(request);
  const wanted = wantedOf(form, task);
  const isStreamed = one(form, "stream") === "true" && one(form, "model") !== NEVER_STREAMS;
  if (isStreamed && wanted.format !== "json" && wanted.format !== "text") {
    throw invalid("response_format", "a stream is json or text");
  }
  const keyterms = many(form, "keywords").map((term) => term.slice(0, 100));
  const nodes = keyterms.length === 0 ? {} : { [node.name]: { keyterms: keyterms.slice(0, KEYTERMS_MAX) } };
  return {
    kind: "transcribe",
    upload,
    eachChannel: false,
    call: { graph, options: { nodes } },
    codec: isStreamed ? streamedCodec() : wholeCodec(wanted),
  };
}

function wantedOf(form: Form, task: Wanted["task"]): Wanted {
  const asked = one(form, "response_format") ?? "json";
  const format = FORMATS.find((known) => known === asked);
  if (format === undefined) throw invalid("response_format", `it is one of ${FORMATS.join(", ")}`);
  const granularities = many(form, "timestamp_granularities");
  return {
    task,
    format,
    language: task === "translate" ? "en" : (one(form, "language") ?? "en"),
    temperature: Number(one(form, "temperature") ?? 0) || 0,
    hasWords: granularities.includes("word"),
    hasSegments: granularities.length === 0 || granularities.includes("segment"),
  };
}

function one({ fields }: Form, name: string): string | undefined {
  return fields.get(name)?.at(-1);
}

/** Lists come as `name[]`, from some clients as `name`. Empty values are none. */
function many({ fields }: Form, name: string): readonly string[] {
  return [...(fields.get(`${name}[]`) ?? []), ...(fields.get(name) ?? [])].filter((value) => value.trim() !== "");
}

function invalid(field: string, problem: string): SyrinxError {
  return new SyrinxError("HTTP_FIELD", { field, problem });
}
