/**
 * Audio of a live connection to 16 kHz PCM, message by message. Synchronous once it is open: it runs where the socket is
 * read. Bytes may be cut anywhere, except Opus packets without a container, of which each message is one.
 */
import { isSyrinxError, reasonOf, SyrinxError } from "../base/errors.js";
import { GRAPH_RATE_HZ, samplesToMs } from "../base/units.js";
import { decodeFailed, formatUnsupported, type LiveFormatDecoder } from "./formats/format-decoder.js";
import { LiveContainer } from "./formats/live-container.js";
import { OggOpusDecoder } from "./formats/ogg-opus.js";
import { OpusPackets } from "./formats/opus-packets.js";
import { createRawDecoder } from "./formats/raw.js";
import { RawOpusDecoder } from "./formats/raw-opus.js";
import { Gatherer } from "./gather.js";

/** `opus`: one packet per message. */
export type LiveEncoding = "linear16" | "linear32" | "mulaw" | "alaw" | "opus" | "ogg-opus";

export const LIVE_ENCODINGS = ["linear16", "linear32", "mulaw", "alaw", "opus", "ogg-opus"] as const;

export interface LiveFormat {
  /** Absent: the first bytes tell (WAV, Ogg with Opus, WebM with Opus). */
  readonly encoding?: LiveEncoding | undefined;
  /** Of linear16, linear32, mulaw and alaw, for which it is needed; others say it themselves. 4000 to 384000. */
  readonly rateHz?: number | undefined;
  /** Interleaved channels of an encoding that is named, 1 to 8 (Opus: 2). Default 1. */
  readonly channels?: number | undefined;
  /** One PCM per channel instead of their average. Default false. */
  readonly split?: boolean | undefined;
}

export interface StreamDecoder {
  /** Of the PCM that comes out. */
  readonly rateHz: typeof GRAPH_RATE_HZ;
  /** Channels of the source: what was named, or 0 until a container's first samples. */
  readonly sourceChannels: number;
  /**
   * s16 at 16 kHz, all of one length, which may be 0: one array, or with `split` one per channel (none until the
   * channels of a container are known). They hold until the next call. Never blocks longer than decoding takes.
   * Throws AUDIO_DECODE_FAILED, AUDIO_FORMAT_UNSUPPORTED; then the stream is of no more use.
   */
  decode(bytes: Uint8Array): readonly Int16Array[];
  /** After the last message: what was held back. Throws as `decode`, also if there never was any audio in a container. */
  end(): readonly Int16Array[];
  /** Idempotent. Needed for Opus, whose memory lies outside JavaScript's heap. */
  free(): void;
}

/** Audio that one message may hold. At it: AUDIO_DECODE_FAILED; a kilobyte of Opus can be made to hold minutes. */
export const MESSAGE_MS_MAX = 60_000;

const NAME = "the stream";

/** Throws AUDIO_FORMAT_UNSUPPORTED for a rate or a number of channels that cannot be. */
export async function createStreamDecoder(format: LiveFormat): Promise<StreamDecoder> {
  const named = format.encoding === undefined ? 0 : (format.channels ?? 1);
  return new LiveDecoder(await openFormat(format), named, format.split === true);
}

async function openFormat({ encoding, rateHz, channels = 1 }: LiveFormat): Promise<LiveFormatDecoder> {
  if (encoding === undefined) return LiveContainer.create(NAME);
  if (encoding === "opus") {
    if (channels !== 1 && channels !== 2) formatUnsupported(`Opus with ${channels} channels`, "1 or 2 channels");
    return new RawOpusDecoder(await OpusPackets.create(NAME, GRAPH_RATE_HZ), channels, NAME);
  }
  if (encoding === "ogg-opus") {
    return new OggOpusDecoder(await OpusPackets.create(NAME, GRAPH_RATE_HZ), GRAPH_RATE_HZ, NAME);
  }
  if (rateHz === undefined) formatUnsupported(`${encoding} without a sample rate`, `${encoding} with one`);
  return createRawDecoder(encoding, rateHz, channels);
}

class LiveDecoder implements StreamDecoder {
  readonly rateHz = GRAPH_RATE_HZ;
  readonly #format: LiveFormatDecoder;
  readonly #namedChannels: number;
  readonly #gatherer: Gatherer;
  readonly #sink: (channels: readonly Int16Array[], count: number, rateHz: number) => void;
  readonly #empty: readonly Int16Array[];
  #isFreed = false;

  constructor(format: LiveFormatDecoder, namedChannels: number, isSplit: boolean) {
    this.#format = format;
    this.#namedChannels = namedChannels;
    this.#gatherer = new Gatherer(NAME, GRAPH_RATE_HZ, isSplit);
    this.#empty = Array.from({ length: isSplit ? namedChannels : 1 }, () => new Int16Array(0));
    this.#sink = (channels, count, rateHz) => {
      this.#gatherer.take(channels, count, rateHz);
      if (samplesToMs(this.#gatherer.count) > MESSAGE_MS_MAX) {
        decodeFailed(NAME, `a message holds more than ${MESSAGE_MS_MAX / 1000} s of audio`);
      }
    };
  }

  get sourceChannels(): number {
    return this.#gatherer.sourceChannels || this.#namedChannels;
  }

  decode(bytes: Uint8Array): readonly Int16Array[] {
    this.#gatherer.clear();
    try {
      this.#format.decode(bytes, this.#sink);
    } catch (error) {
      throw coded(error);
    }
    return this.#gathered();
  }

  end(): readonly Int16Array[] {
    this.#gatherer.clear();
    try {
      this.#format.end(this.#sink);
    } catch (error) {
      throw coded(error);
    }
    if (this.#gatherer.sourceCount > 0) this.#gatherer.flush();
    return this.#gathered();
  }

  free(): void {
    if (this.#isFreed) return;
    this.#isFreed = true;
    this.#format.free();
  }

  #gathered(): readonly Int16Array[] {
    return this.#gatherer.sourceChannels === 0 ? this.#empty : this.#gatherer.views();
  }
}

/** A WebAssembly trap or a range error deep in a decoder: the stream did it. */
function coded(error: unknown): SyrinxError {
  if (isSyrinxError(error)) return error;
  return new SyrinxError("AUDIO_DECODE_FAILED", { path: NAME, reason: reasonOf(error) }, error);
}
