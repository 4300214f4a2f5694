/** Sample formats and levels. Nothing here allocates; every function works on ranges of arrays that the caller holds. */

/** Converts `count` s16 samples to floats in [-1, 1). */
export function s16ToF32(
  input: Int16Array,
  inputOffset: number,
  count: number,
  output: Float32Array,
  outputOffset: number,
): void {
  for (let index = 0; index < count; index++) output[outputOffset + index] = input[inputOffset + index]! / 32768;
}

/** Converts `count` floats to s16, rounded; beyond ±1 is clipped and NaN is silence. */
export function f32ToS16(
  input: Float32Array,
  inputOffset: number,
  count: number,
  output: Int16Array,
  outputOffset: number,
): void {
  for (let index = 0; index < count; index++) output[outputOffset + index] = sampleOf(input[inputOffset + index]!);
}

/** One float as s16: rounded, clipped, NaN as 0. */
export function sampleOf(value: number): number {
  const scaled = Math.round(value * 32768);
  if (scaled > 32767) return 32767;
  return scaled < -32768 ? -32768 : scaled | 0;
}

/** What {@link rmsDbfs} and {@link peakDbfs} call digital silence. */
export const SILENCE_DBFS = -120;

/** Root mean square of `count` samples in dB relative to full scale; a full-scale square wave is 0. */
export function rmsDbfs(pcm: Int16Array, offset = 0, count: number = pcm.length - offset): number {
  let sum = 0;
  for (let index = offset; index < offset + count; index++) sum += pcm[index]! * pcm[index]!;
  return sum === 0 ? SILENCE_DBFS : Math.max(SILENCE_DBFS, 10 * Math.log10(sum / count / 32768 ** 2));
}

/** The largest magnitude of `count` samples in dB relative to full scale. */
export function peakDbfs(pcm: Int16Array, offset = 0, count: number = pcm.length - offset): number {
  let peak = 0;
  for (let index = offset; index < offset + count; index++) peak = Math.max(peak, Math.abs(pcm[index]!));
  return peak === 0 ? SILENCE_DBFS : 20 * Math.log10(peak / 32768);
}
