/** Inside a graph all audio is 16 kHz mono signed 16-bit; the edge of the graph resamples. */
export const GRAPH_RATE_HZ = 16_000;
/** The length of a media frame that everything is tuned for. */
export const FRAME_MS = 20;
export const FRAME_SAMPLES = (GRAPH_RATE_HZ * FRAME_MS) / 1000;

export function samplesToMs(sampleCount: number, rateHz: number = GRAPH_RATE_HZ): number {
  return (sampleCount * 1000) / rateHz;
}

export function msToSamples(ms: number, rateHz: number = GRAPH_RATE_HZ): number {
  return Math.round((ms * rateHz) / 1000);
}
