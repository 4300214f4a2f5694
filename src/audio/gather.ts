/** Decoded pieces of one recording or stream, mixed to mono or kept apart, at one rate, in arrays that grow as needed. */
import { CHANNELS_MAX, decodeFailed, formatUnsupported } from "./formats/format-decoder.js";
import { createFileResampler, type Resampler } from "./resampler.js";

/** First size of a channel's array, in samples. */
const FIRST_SAMPLES = 4_096;

export class Gatherer {
  readonly #name: string;
  readonly #toRateHz: number;
  readonly #isSplit: boolean;
  #resamplers: Resampler[] = [];
  #pcm: Int16Array[] = [];
  #count = 0;
  #mixed = new Int16Array(0);
  #sourceChannels = 0;
  #sourceCount = 0;

  /**
   * @param name of the file or stream, for messages.
   * @param isSplit one array per channel instead of their average.
   */
  constructor(name: string, toRateHz: number, isSplit: boolean) {
    this.#name = name;
    this.#toRateHz = toRateHz;
    this.#isSplit = isSplit;
  }

  /** Channels of the source; 0 before its first sample. */
  get sourceChannels(): number {
    return this.#sourceChannels;
  }

  /** Sample frames of the source so far. */
  get sourceCount(): number {
    return this.#sourceCount;
  }

  get sourceRateHz(): number {
    return this.#resamplers[0]?.fromRateHz ?? this.#toRateHz;
  }

  /** Samples gathered per array since the last {@link clear}. */
  get count(): number {
    return this.#count;
  }

  /** What was gathered; holds until the next call of any method. */
  views(): readonly Int16Array[] {
    return this.#pcm.map((pcm) => pcm.subarray(0, this.#count));
  }

  /** Forgets what was gathered, not where in the stream it is. */
  clear(): void {
    this.#count = 0;
  }

  /** A {@link import("./formats/format-decoder.js").PcmSink}. Throws AUDIO_DECODE_FAILED, AUDIO_FORMAT_UNSUPPORTED. */
  take(channels: readonly Int16Array[], count: number, rateHz: number): void {
    if (this.#sourceChannels === 0) this.#begin(channels.length, rateHz);
    if (rateHz !== this.sourceRateHz) decodeFailed(this.#name, "its sample rate changes");
    if (channels.length !== this.#sourceChannels) decodeFailed(this.#name, "its number of channels changes");
    const kept = this.#isSplit || channels.length === 1 ? channels : [this.#mix(channels, count)];
    this.#reserve(count);
    let written = 0;
    for (const [index, resampler] of this.#resamplers.entries()) {
      written = resampler.process(kept[index]!, 0, count, this.#pcm[index]!.subarray(this.#count));
    }
    this.#count += written;
    this.#sourceCount += count;
  }

  /** After the last sample: what the resamplers held back. */
  flush(): void {
    this.#reserve(0);
    let written = 0;
    for (const [index, resampler] of this.#resamplers.entries()) {
      written = resampler.flush(this.#pcm[index]!.subarray(this.#count));
    }
    this.#count += written;
  }

  #begin(channelCount: number, rateHz: number): void {
    if (this.#isSplit && channelCount > CHANNELS_MAX) {
      formatUnsupported(`${channelCount} channels kept apart`, `1 to ${CHANNELS_MAX}`);
    }
    const kept = this.#isSplit ? channelCount : 1;
    this.#resamplers = Array.from({ length: kept }, () => createFileResampler(rateHz, this.#toRateHz));
    this.#pcm = Array.from({ length: kept }, () => new Int16Array(FIRST_SAMPLES));
    this.#sourceChannels = channelCount;
  }

  #mix(channels: readonly Int16Array[], count: number): Int16Array {
    if (this.#mixed.length < count) this.#mixed = new Int16Array(count);
    for (let index = 0; index < count; index++) {
      let sum = 0;
      for (const channel of channels) sum += channel[index]!;
      this.#mixed[index] = Math.round(sum / channels.length);
    }
    return this.#mixed;
  }

  #reserve(sourceCount: number): void {
    for (const [index, resampler] of this.#resamplers.entries()) {
      const needed = this.#count + resampler.outputBound(sourceCount);
      const pcm = this.#pcm[index]!;
      if (needed <= pcm.length) continue;
      const larger = new Int16Array(Math.max(needed, 2 * pcm.length));
      larger.set(pcm.subarray(0, this.#count));
      this.#pcm[index] = larger;
    }
  }
}
