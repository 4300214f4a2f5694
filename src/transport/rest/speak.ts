import { ClauseSplitter } from "../../actors/text/clauses.js";
import { type AudioEncoder, createAudioEncoder } from "../../audio/encode.js";
import type { SpeakJob } from "../faces/rest.js";
import { DrivenCall, type HeardEvent } from "./driven-call.js";
import type { Exchange } from "./exchange.js";
import type { JobTools } from "./job-tools.js";

/**
 * Has a text spoken and streams what comes of it, encoded. The voice gets the text in pieces, and the next one when the
 * client has taken the last one's audio. Throws what kept it from that; once audio has left, the answer is cut off.
 */
export async function runSpeak(job: SpeakJob, exchange: Exchange, tools: JobTools): Promise<void> {
  const { format, rateHz, hasWavHeader, bitRateKbps } = job;
  const encoder = await createAudioEncoder({
    format,
    rateHz,
    ...(hasWavHeader === undefined ? {} : { hasWavHeader }),
    ...(bitRateKbps === undefined ? {} : { bitRateKbps }),
  });
  const answer = new SpeechAnswer(job, exchange, encoder);
  let call: DrivenCall | undefined;
  try {
    const onEvent = (event: HeardEvent): void => answer.heard(event);
    tools.lease.open(job.call);
    call = await DrivenCall.open({ ...tools, request: job.call, over: exchange.over, onEvent });
    const pieces = piecesOf(job.text, tools.limits.restTextChars);
    for (const [index, piece] of pieces.entries()) {
      call.say(piece, index === pieces.length - 1);
      await call.mark();
      await exchange.drained();
    }
    await call.close();
    answer.end();
  } finally {
    call?.abort();
    encoder.free();
  }
}

/** Whole clauses of a text, some at a time. At least one piece, if only an empty one. */
export function piecesOf(text: string, chars: number): readonly string[] {
  const splitter = new ClauseSplitter();
  const pieces: string[] = [];
  let piece = "";
  for (const clause of [...splitter.push(text), ...splitter.flush()]) {
    if (piece !== "" && piece.length + clause.length > chars) {
      pieces.push(piece);
      piece = "";
    }
    piece += piece === "" ? clause : ` ${clause}`;
  }
  return [...pieces, piece];
}

/** Audio on its way to the client. Nothing leaves before the first of it, so that until then an error can be told. */
class SpeechAnswer {
  readonly #job: SpeakJob;
  readonly #exchange: Exchange;
  readonly #encoder: AudioEncoder;
  #sampleCount = 0;

  constructor(job: SpeakJob, exchange: Exchange, encoder: AudioEncoder) {
    this.#job = job;
    this.#exchange = exchange;
    this.#encoder = encoder;
  }

  heard(event: HeardEvent): void {
    if (event.type !== "audio") return;
    this.#sampleCount += event.pcm.length;
    this.#write(this.#encoder.encode(event.pcm));
  }

  end(): void {
    this.#write(this.#encoder.finish());
    const last = this.#job.codec?.end(this.#sampleCount);
    if (last !== undefined) this.#exchange.write(last);
    this.#exchange.end();
  }

  #write(bytes: Uint8Array): void {
    if (!this.#exchange.isBegun) this.#exchange.begin(this.#job.contentType, this.#job.headers);
    if (bytes.length > 0) this.#exchange.write(this.#job.codec?.encode(bytes) ?? bytes);
  }
}
