/**
 * Mel filters of Slaney's Auditory Toolbox, as librosa's `filters.mel` and torchaudio's `melscale_fbanks` make them with
 * `norm="slaney"`: triangles over neighbours of `bins + 2` points that stand evenly in mel, all of the same area. The
 * scale is linear to 1 kHz (3 mel for 200 Hz) and logarithmic above (27 mel for a factor of 6.4).
 */
import { assert } from "../../base/assert.js";

export interface MelScale {
  readonly bins: number;
  readonly fftSize: number;
  readonly rateHz: number;
  readonly lowHz: number;
  readonly highHz: number;
}

interface MelFilter {
  /** The first point of the spectrum that counts. */
  readonly first: number;
  readonly weights: Float64Array;
}

export class SlaneyMel {
  readonly bins: number;
  readonly #filters: readonly MelFilter[];

  constructor(scale: MelScale) {
    assert(scale.bins >= 1 && scale.bins <= 256, "a mel scale has a sensible number of bands");
    this.bins = scale.bins;
    this.#filters = melFilters(scale);
  }

  /** The energy of band `bin` in a power spectrum f64[fftSize / 2 + 1]. */
  energy(bin: number, power: Float64Array): number {
    const { first, weights } = this.#filters[bin]!;
    let energy = 0;
    for (let k = 0; k < weights.length; k += 1) energy += weights[k]! * power[first + k]!;
    return energy;
  }

  /** The weight of a band at a point of the spectrum. */
  weight(bin: number, point: number): number {
    const { first, weights } = this.#filters[bin]!;
    return weights[point - first] ?? 0;
  }
}

const LINEAR_HZ_PER_MEL = 200 / 3;
const BREAK_HZ = 1000;
const BREAK_MEL = BREAK_HZ / LINEAR_HZ_PER_MEL;
const LOG_STEP = Math.log(6.4) / 27;

const melOf = (hz: number): number =>
  hz < BREAK_HZ ? hz / LINEAR_HZ_PER_MEL : BREAK_MEL + Math.log(hz / BREAK_HZ) / LOG_STEP;
const hzOf = (mel: number): number =>
  mel < BREAK_MEL ? mel * LINEAR_HZ_PER_MEL : BREAK_HZ * Math.exp((mel - BREAK_MEL) * LOG_STEP);

function melFilters({ bins, fftSize, rateHz, lowHz, highHz }: MelScale): MelFilter[] {
  const low = melOf(lowHz);
  const step = (melOf(highHz) - low) / (bins + 1);
  return Array.from({ length: bins }, (_, bin) => {
    const left = hzOf(low + bin * step);
    const centre = hzOf(low + (bin + 1) * step);
    const right = hzOf(low + (bin + 2) * step);
    const weights: number[] = [];
    let first = 0;
    for (let k = 0; k <= fftSize / 2; k += 1) {
      const hz = (k * rateHz) / fftSize;
      const height = Math.min((hz - left) / (centre - left), (right - hz) / (right - centre));
      if (height <= 0) continue;
      if (weights.length === 0) first = k;
      weights.push((2 * height) / (right - left));
    }
    return { first, weights: Float64Array.from(weights) };
  });
}
