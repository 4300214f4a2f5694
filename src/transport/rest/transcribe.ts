import { GRAPH_RATE_HZ } from "../../base/units.js";
import type { TranscriptEvent } from "../../frames/events.js";
import type { TranscribeJob, TranscriptionCodec } from "../faces/rest.js";
import { DrivenCall, type HeardEvent } from "./driven-call.js";
import type { Exchange } from "./exchange.js";
import type { JobTools } from "./job-tools.js";
import { StoredUpload } from "./upload.js";

/**
 * Decodes a recording off the main thread, gives each channel to a call of its own as fast as the calls answer, and
 * writes what they heard. Throws what kept it from that.
 */
export async function runTranscribe(job: TranscribeJob, exchange: Exchange, tools: JobTools): Promise<void> {
  const { channels, durationMs } = await decode(job, tools);
  exchange.over.throwIfAborted();
  const answer = new TranscriptAnswer(job.codec, exchange, channels.length);
  const calls: DrivenCall[] = [];
  try {
    tools.lease.open({ graph: job.call.graph, channels: channels.length });
    for (const channel of channels.keys()) {
      const onEvent = (event: HeardEvent): void => answer.heard(event, channel);
      calls.push(await DrivenCall.open({ ...tools, request: job.call, over: exchange.over, onEvent }));
    }
    await feed(calls, channels, exchange, tools);
    await Promise.all(calls.map((call) => call.finalize()));
    await Promise.all(calls.map((call) => call.close()));
  } finally {
    for (const call of calls) call.abort();
  }
  answer.end(durationMs);
}

interface Recording {
  readonly channels: readonly Int16Array[];
  readonly durationMs: number;
}

async function decode({ upload, encoding, eachChannel }: TranscribeJob, { jobs, room }: JobTools): Promise<Recording> {
  if (!(upload instanceof StoredUpload)) throw new TypeError("a face names an upload that is not its request's");
  const { source } = upload;
  const { pcm, durationMs } = await jobs.decodeUpload({
    ...(typeof source === "string" ? { path: source } : { bytes: source }),
    name: upload.fileName ?? "the recording",
    split: eachChannel,
    ...(encoding === undefined
      ? {}
      : { encoding: encoding.name, rateHz: encoding.rateHz, channels: encoding.channels }),
  });
  // A recording of silence is small, and what it is decoded to is not.
  room.grow(
    pcm.reduce((sum, channel) => sum + channel.byteLength, 0),
    Number.POSITIVE_INFINITY,
  );
  return { channels: pcm, durationMs };
}

/** In step, so that no channel runs ahead of the others. */
async function feed(
  calls: readonly DrivenCall[],
  channels: readonly Int16Array[],
  exchange: Exchange,
  { limits, lease, clock }: JobTools,
): Promise<void> {
  const step = Math.floor((limits.restAheadMs * GRAPH_RATE_HZ) / 1000 / calls.length);
  const longest = Math.max(...channels.map((pcm) => pcm.length));
  for (let at = 0; at < longest; at += step) {
    for (const [channel, call] of calls.entries()) call.write(channels[channel]!.subarray(at, at + step));
    await Promise.all(calls.map((call) => call.mark()));
    await exchange.drained();
    const waitMs = lease.spendAudio(limits.restAheadMs, clock.nowUs() / 1000);
    if (waitMs > 0) await exchange.pause(waitMs);
  }
}

/** What was heard, on its way to the client: at once if the answer is streamed, else all of it at the end. */
class TranscriptAnswer {
  readonly #codec: TranscriptionCodec;
  readonly #exchange: Exchange;
  readonly #finals: readonly TranscriptEvent[][];

  constructor(codec: TranscriptionCodec, exchange: Exchange, channelCount: number) {
    this.#codec = codec;
    this.#exchange = exchange;
    this.#finals = Array.from({ length: channelCount }, () => []);
  }

  heard(event: HeardEvent, channel: number): void {
    if (event.type !== "transcript") return;
    if (event.final) this.#finals[channel]!.push(event);
    if (!this.#codec.isStreamed) return;
    const piece = this.#codec.encode?.(event, channel);
    if (piece === undefined) return;
    this.#begin();
    this.#exchange.write(piece);
  }

  end(durationMs: number): void {
    const { contentType, headers, isStreamed } = this.#codec;
    const body = this.#codec.end({ durationMs, channels: this.#finals });
    if (!isStreamed) {
      this.#exchange.answer({ status: 200, contentType, body, ...(headers === undefined ? {} : { headers }) });
      return;
    }
    this.#begin();
    this.#exchange.write(body);
    this.#exchange.end();
  }

  #begin(): void {
    if (!this.#exchange.isBegun) this.#exchange.begin(this.#codec.contentType, this.#codec.headers);
  }
}
