/** What every decoder of a file or stream format has in common: bytes in, s16 per channel out. */
import { SyrinxError } from "../../base/errors.js";
import { sampleOf } from "../pcm.js";

/**
 * Takes `count` samples of each channel. The arrays are the decoder's own and hold until the sink returns; they may be
 * longer than `count`. May throw, which ends the decoding.
 */
export type PcmSink = (channels: readonly Int16Array[], count: number, rateHz: number) => void;

/**
 * One stream's decoder. Bytes may be cut anywhere; the same bytes give the same samples. What is damaged is passed over
 * as far as the format lets one find the next good piece. Throws AUDIO_DECODE_FAILED, AUDIO_FORMAT_UNSUPPORTED.
 */
export interface FormatDecoder {
  decode(bytes: Uint8Array, sink: PcmSink): void | Promise<void>;
  /** After the last byte: what was held back. */
  end(sink: PcmSink): void | Promise<void>;
  free(): void;
  /** What the format's decoder said of the first damaged piece. */
  readonly complaint?: string | undefined;
}

/** A decoder that answers at once, which a live stream needs. */
export interface LiveFormatDecoder extends FormatDecoder {
  decode(bytes: Uint8Array, sink: PcmSink): void;
  end(sink: PcmSink): void;
}

/** Most channels that are kept apart, and that a live stream may have. At it: AUDIO_FORMAT_UNSUPPORTED. */
export const CHANNELS_MAX = 8;

/** A decoder's floats as s16, in arrays that are used again for each piece. */
export class Int16Channels {
  #channels: Int16Array[] = [];

  /** @param gain by which the floats are multiplied. */
  from(floats: readonly Float32Array[], count: number, gain = 1): readonly Int16Array[] {
    const channels = this.take(floats.length, count);
    for (const [channel, values] of floats.entries()) {
      const output = channels[channel]!;
      for (let index = 0; index < count; index++) output[index] = sampleOf(values[index]! * gain);
    }
    return channels;
  }

  /** Arrays to write into. */
  take(channelCount: number, count: number): readonly Int16Array[] {
    const isEnough = this.#channels.length === channelCount && (this.#channels[0]?.length ?? 0) >= count;
    if (!isEnough) this.#channels = Array.from({ length: channelCount }, () => new Int16Array(count));
    return this.#channels;
  }
}

export function decodeFailed(path: string, reason: string): never {
  throw new SyrinxError("AUDIO_DECODE_FAILED", { path, reason });
}

export function formatUnsupported(format: string, supported: string): never {
  throw new SyrinxError("AUDIO_FORMAT_UNSUPPORTED", { format, supported });
}
