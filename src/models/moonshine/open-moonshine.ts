/** Moonshine's files, open, whichever way they are laid out. */
import { msToSamples } from "../../base/units.js";
import type { Heard } from "../encoder-decoder/cached-decoder.js";
import type { OpenDecoder } from "../encoder-decoder/open.js";

/** The family's name. */
export const MOONSHINE = "moonshine";
/** What the encoder must have to say anything at all. */
export const SAMPLES_MIN = msToSamples(250);

export interface OpenMoonshine extends OpenDecoder {
  readonly device: string;
  /** The files can tell samples from padding; if not, all segments of a batch must be as long as it is. */
  readonly hasMasks: boolean;
  /** Hears a batch f32 [segments, width], in [-1, 1] at 16 kHz, of which so many samples of each are no padding. */
  hear(samples: Float32Array, lengths: readonly number[], width: number): Promise<Heard>;
}
