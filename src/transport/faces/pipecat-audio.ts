import { createResampler, type Resampler } from "../../audio/resampler.js";
import { SyrinxError } from "../../base/errors.js";
import { CHANNELS_MAX } from "./face.js";
import { SAMPLE_CODECS } from "./native-format.js";
import type { AudioRaw } from "./pipecat-frames.js";

/** A client's audio as its call wants it: each frame says its own rate and channels, and both may change. */
export class AudioIntake {
  readonly #rateHz: number;
  #resampler: Resampler | undefined;

  /** @param rateHz of the call's input */
  constructor(rateHz: number) {
    this.#rateHz = rateHz;
  }

  /** s16 mono at the call's rate; may be a view of the frame's bytes. Throws AUDIO_FORMAT_UNSUPPORTED, CALL_AUDIO_ODD_BYTES. */
  take({ audio, sampleRate, numChannels }: AudioRaw): Int16Array {
    if (!Number.isInteger(numChannels) || numChannels < 1 || numChannels > CHANNELS_MAX) {
      const supported = `1 to ${CHANNELS_MAX} channels`;
      throw new SyrinxError("AUDIO_FORMAT_UNSUPPORTED", { format: `PCM of ${numChannels} channels`, supported });
    }
    const sampleBytes = 2 * numChannels;
    if (audio.byteLength % sampleBytes !== 0) {
      throw new SyrinxError("CALL_AUDIO_ODD_BYTES", { byteCount: audio.byteLength, sampleBytes });
    }
    return this.#resample(downmix(SAMPLE_CODECS.s16le.decode(audio), numChannels), sampleRate);
  }

  #resample(pcm: Int16Array, rateHz: number): Int16Array {
    if (rateHz === this.#rateHz) return pcm;
    if (this.#resampler?.fromRateHz !== rateHz) this.#resampler = createResampler(rateHz, this.#rateHz);
    const output = new Int16Array(this.#resampler.outputBound(pcm.length));
    return output.subarray(0, this.#resampler.process(pcm, 0, pcm.length, output));
  }
}

/** The mean of the channels, rounded. */
function downmix(pcm: Int16Array, channels: number): Int16Array {
  if (channels === 1) return pcm;
  const mono = new Int16Array(pcm.length / channels);
  for (let frame = 0; frame < mono.length; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += pcm[frame * channels + channel]!;
    mono[frame] = Math.round(sum / channels);
  }
  return mono;
}
