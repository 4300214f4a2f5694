/** A load for programs: one JSON object a line, each with a `type`, written as things happen. */
import type { Verdict } from "./objectives.js";
import type { RungResult, TurnRecord } from "./result.js";
import type { LoadSample } from "./rung.js";
import type { SoakResult } from "./soak.js";

export function turnLine(calls: number, turn: TurnRecord): string {
  return line({ type: "turn", calls, ...turn });
}

export function sampleLine(calls: number, sample: LoadSample): string {
  return line({ type: "sample", calls, ...sample });
}

/** Without its turns and samples, which have lines of their own. */
export function rungLine(rung: RungResult, verdict: Verdict | undefined): string {
  const { turns: _turns, samples: _samples, ...figures } = rung;
  return line({ type: "rung", ...figures, ...(verdict === undefined ? {} : { verdict }) });
}

export function soakLine(soak: SoakResult): string {
  return line({ type: "soak", ...soak });
}

/** Numbers to a thousandth; NaN, of what was never measured, is null in JSON. */
export function line(value: object): string {
  const rounded = (_key: string, item: unknown): unknown =>
    typeof item === "number" ? Math.round(item * 1000) / 1000 : item;
  return `${JSON.stringify(value, rounded)}\n`;
}
