/**
 * The five voices come at five levels. Each sample goes through a table that applies the voice's gain and, near full
 * scale, bends the curve so that peaks are rounded instead of clipped.
 */

export const VOICES = ["kal", "kal16", "awb", "rms", "slt"] as const;
export type VoiceName = (typeof VOICES)[number];

/** The rates at which the voices speak. flite writes them into its header only after a sentence's samples. */
export const VOICE_RATE_HZ: Readonly<Record<VoiceName, number>> = {
  kal: 8000,
  kal16: 16000,
  awb: 16000,
  rms: 16000,
  slt: 16000,
};

/** What the gains below aim at: RMS of whole sentences, pauses included. */
export const TARGET_RMS_DBFS = -18;

/** Measured over ten assistant replies per voice (kal −20.2, kal16 −28.3, awb −20.5, rms −21.4, slt −15.4 dBFS). */
const GAIN_DB: Readonly<Record<VoiceName, number>> = { kal: 2, kal16: 10, awb: 2.5, rms: 3.5, slt: -2.5 };

/** Up to here the curve is straight; above, it approaches full scale as a hyperbolic tangent. */
const KNEE = 0.7;
const FULL_SCALE = 32768;

const tables = new Map<VoiceName, Int16Array>();

/** i16[65536]: the output sample of each input sample, at index `sample + 32768`. Made once per thread and voice. */
export function levelTable(voice: VoiceName): Int16Array {
  const found = tables.get(voice);
  if (found !== undefined) return found;
  const gain = 10 ** (GAIN_DB[voice] / 20);
  const table = new Int16Array(2 * FULL_SCALE).map((_, index) =>
    Math.round(limited(((index - FULL_SCALE) / FULL_SCALE) * gain) * (FULL_SCALE - 1)),
  );
  tables.set(voice, table);
  return table;
}

function limited(value: number): number {
  const excess = Math.abs(value) - KNEE;
  if (excess <= 0) return value;
  return Math.sign(value) * (KNEE + (1 - KNEE) * Math.tanh(excess / (1 - KNEE)));
}
