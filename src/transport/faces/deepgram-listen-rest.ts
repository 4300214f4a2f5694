/** `POST /v1/listen`: one recording in, its whole transcript out. */
import { SyrinxError } from "../../base/errors.js";
import type { TranscriptEvent } from "../../frames/events.js";
import { deepgramHeaders, modelUuid } from "./deepgram.js";
import { type ListenRequest, listenRequestOf } from "./deepgram-listen-request.js";
import { badField, formatOf } from "./deepgram-query.js";
import { type Alternative, alternativeOf, type DeepgramWord, figure } from "./deepgram-words.js";
import type { FaceRequest } from "./face.js";
import type { RestBody, TranscribeJob, Transcription, TranscriptionCodec, Upload } from "./rest.js";
import { timeOfDay } from "./wall-time.js";

/** A longer pause between two sentences begins a paragraph. */
const PARAGRAPH_PAUSE_S = 2;
const RAW_ENCODINGS = ["linear16", "linear32", "mulaw", "alaw"] as const;

export function listenJob(request: FaceRequest, body: RestBody): TranscribeJob {
  const upload = uploadOf(body);
  if (request.query.has("callback")) throw badField("callback", "answers are sent where the request came from");
  const asked = listenRequestOf(request);
  const encoding = rawEncodingOf(request.query, asked.channels);
  return {
    kind: "transcribe",
    upload,
    ...(encoding === undefined ? {} : { encoding }),
    call: { graph: asked.call.graph, options: asked.call.options },
    eachChannel: asked.isMultichannel,
    codec: new ListenAnswer(request, asked, upload),
  };
}

function uploadOf(body: RestBody): Upload {
  if (body.kind === "bytes") return body.upload;
  if (body.kind === "json") {
    throw badField("url", "recordings are not fetched here; send the recording itself as the request's body");
  }
  const type = body.kind === "form" ? "multipart/form-data" : "none";
  throw new SyrinxError("HTTP_BODY_TYPE", { type, expected: "audio/*, application/octet-stream" });
}

/** Only bare samples need a word about what they are; whatever a file's beginning says counts more. */
function rawEncodingOf(query: URLSearchParams, channels: number): TranscribeJob["encoding"] {
  const name = RAW_ENCODINGS.find((known) => known === query.get("encoding"));
  if (name === undefined || (name.startsWith("linear") && !query.has("sample_rate"))) return undefined;
  return { name, rateHz: formatOf(query).rateHz!, channels };
}

interface Sentence {
  readonly text: string;
  readonly words: readonly DeepgramWord[];
}

class ListenAnswer implements TranscriptionCodec {
  readonly contentType = "application/json; charset=utf-8";
  readonly headers: Readonly<Record<string, string>>;
  readonly isStreamed = false;
  readonly #requestId: string;
  readonly #asked: ListenRequest;
  readonly #upload: Upload;

  constructor(request: FaceRequest, asked: ListenRequest, upload: Upload) {
    this.headers = deepgramHeaders(request);
    this.#requestId = request.requestId;
    this.#asked = asked;
    this.#upload = upload;
  }

  end({ durationMs, channels }: Transcription): string {
    const { hasUtterances } = this.#asked;
    const whole = { startMs: 0, endMs: durationMs };
    const heard = channels.map((events) => this.#channel(events, alternativeOf(events, whole)));
    const utterances = hasUtterances ? { utterances: this.#utterances(channels, durationMs) } : {};
    const { modelName, modelFamily } = this.#asked;
    const id = modelUuid(modelName);
    return JSON.stringify({
      metadata: {
        transaction_key: "deprecated",
        request_id: this.#requestId,
        sha256: this.#upload.sha256,
        created: timeOfDay(),
        duration: durationMs / 1000,
        channels: channels.length,
        models: [id],
        model_info: { [id]: { name: modelName, version: "1", arch: modelFamily } },
      },
      results: { channels: heard, ...utterances },
    });
  }

  #channel(events: readonly TranscriptEvent[], alternative: Alternative): object {
    if (!this.#asked.hasParagraphs) return { alternatives: [alternative] };
    return { alternatives: [{ ...alternative, paragraphs: paragraphsOf(sentencesOf(events)) }] };
  }

  /** Stretches of speech between pauses, of all channels, in the order in which they began. */
  #utterances(channels: readonly (readonly TranscriptEvent[])[], durationMs: number): object[] {
    const splitS = this.#asked.uttSplitMs / 1000;
    const found = channels.flatMap((events, channel) => {
      const { words } = alternativeOf(events, { startMs: 0, endMs: durationMs });
      return splitAt(words, (before, after) => after.start - before.end >= splitS).map((part, index) => ({
        start: part[0]!.start,
        end: part.at(-1)!.end,
        confidence: figure(part.reduce((sum, { confidence }) => sum + confidence, 0) / part.length),
        channel,
        transcript: textOf(part),
        words: part,
        id: modelUuid(`${this.#requestId} ${channel} ${index}`),
      }));
    });
    return found.sort((left, right) => left.start - right.start);
  }
}

/** A sentence ends with a mark that ends sentences, or with a stretch of speech. */
function sentencesOf(events: readonly TranscriptEvent[]): Sentence[] {
  return events.flatMap((event) => {
    const { words } = alternativeOf([event], event);
    const parts = splitAt(words, ({ punctuated_word }) => /[.!?…。？！]["')\]]*$/.test(punctuated_word));
    return parts.map((part) => ({ text: textOf(part), words: part }));
  });
}

function paragraphsOf(sentences: readonly Sentence[]): object {
  const groups = splitAt(
    sentences,
    (before, after) => after.words[0]!.start - before.words.at(-1)!.end > PARAGRAPH_PAUSE_S,
  );
  const paragraphs = groups.map((group) => ({
    sentences: group.map(({ text, words }) => ({ text, start: words[0]!.start, end: words.at(-1)!.end })),
    num_words: group.reduce((sum, { words }) => sum + words.length, 0),
    start: group[0]!.words[0]!.start,
    end: group.at(-1)!.words.at(-1)!.end,
  }));
  const text = groups.map((group) => group.map((sentence) => sentence.text).join(" ")).join("\n\n");
  return { transcript: text === "" ? "" : `\n${text}`, paragraphs };
}

function textOf(words: readonly DeepgramWord[]): string {
  return words.map((word) => word.punctuated_word).join(" ");
}

/** Parts of a list, cut between two entries wherever `isCut` says so. None is empty. */
function splitAt<T>(list: readonly T[], isCut: (before: T, after: T) => boolean): T[][] {
  const parts: T[][] = [];
  for (const [index, entry] of list.entries()) {
    const part = parts.at(-1);
    if (part === undefined || isCut(list[index - 1]!, entry)) parts.push([entry]);
    else part.push(entry);
  }
  return parts;
}
