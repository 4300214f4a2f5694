/** Looks at a stream without changing it: counts frames, measures levels, logs figures. Never what was said. */
import { z } from "zod";
import { samplesToMs } from "../base/units.js";
import type { FrameKind } from "../frames/kinds.js";
import { type ActorCall, type ActorResources, defineActor, type Item } from "./define.js";

const options = z.strictObject({
  logEvery: z
    .number()
    .min(0)
    .max(3_600)
    .default(0)
    .describe("Seconds of audio between log lines; 0: only when the call closes."),
});
type TapOptions = z.infer<typeof options>;

const SEEN = [
  "audio.in",
  "audio.out",
  "vad",
  "turn",
  "transcript.partial",
  "transcript.final",
  "text",
  "reply",
  "alignment",
  "usage",
] as const satisfies readonly FrameKind[];

interface Level {
  frames: number;
  samples: number;
  seconds: number;
  squares: number;
}

export class TapState {
  readonly #counts = new Map<FrameKind, number>();
  readonly #levels = new Map<FrameKind, Level>();
  secondsLogged = 0;

  see(item: Item<TapState>): void {
    this.#counts.set(item.kind, (this.#counts.get(item.kind) ?? 0) + 1);
    if (item.kind === "audio.in") this.#measure(item, 16_000);
    else if (item.kind === "audio.out") this.#measure(item, item.meta("audio.out").rateHz);
  }

  /** Seconds of audio of both directions. */
  get seconds(): number {
    return [...this.#levels.values()].reduce((sum, level) => sum + level.seconds, 0);
  }

  /** Frames per kind; seconds and RMS level in dB of full scale per kind of audio. */
  summary(): Record<string, unknown> {
    const audio: Record<string, { seconds: number; rmsDbfs: number }> = {};
    for (const [kind, level] of this.#levels) {
      audio[kind] = { seconds: Math.round(level.seconds * 1000) / 1000, rmsDbfs: rmsDbfs(level) };
    }
    return { frames: Object.fromEntries(this.#counts), audio };
  }

  #measure({ kind, samples, offset, count }: Item<TapState>, rateHz: number): void {
    const level = this.#levels.get(kind) ?? { frames: 0, samples: 0, seconds: 0, squares: 0 };
    this.#levels.set(kind, level);
    let squares = 0;
    for (let index = offset; index < offset + count; index++) squares += samples[index]! * samples[index]!;
    level.frames++;
    level.samples += count;
    level.seconds += samplesToMs(count, rateHz) / 1000;
    level.squares += squares;
  }
}

/** What silence is reported as: JSON has no −∞. */
export const RMS_DBFS_MIN = -120;

function rmsDbfs({ squares, samples }: Level): number {
  if (samples === 0 || squares === 0) return RMS_DBFS_MIN;
  const level = 10 * Math.log10(squares / samples / 32_768 ** 2);
  return Math.max(RMS_DBFS_MIN, Math.round(level * 10) / 10);
}

export const tapActor = defineActor<TapOptions, TapState>({
  name: "tap",
  summary: "Passes everything on; logs counts, seconds and levels.",
  inputs: SEEN,
  outputs: [],
  forwards: SEEN,
  options,
  thread: "io",
  latencyMs: () => 0,
  create({ logEvery }, resources) {
    return {
      open: () => new TapState(),
      process(batch, out) {
        for (const item of batch) {
          const { state } = item.call;
          state.see(item);
          if (logEvery > 0 && state.seconds - state.secondsLogged >= logEvery) {
            state.secondsLogged = state.seconds;
            tell(item.call, resources, "tap");
          }
          out.forward(item);
        }
      },
      close: (call) => tell(call, resources, "tap closed"),
    };
  },
});

function tell(call: ActorCall<TapState>, { log, nodeName }: ActorResources, message: string): void {
  log("info", message, { callId: call.callId, node: nodeName, ...call.state.summary() });
}
