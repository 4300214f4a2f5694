/** What hours of steady load did to a server: does its memory grow, does it become slower, does it lose slots? Pure. */
import { measuredSamples, type TurnRecord } from "./result.js";
import type { RungTraces } from "./rung.js";
import { fitLine, type Line } from "./statistics.js";

const HOUR_MS = 3_600_000;
const MB = 1_000_000;
const MINUTES = 60;

/** Hours, and what was measured then. */
type Point = readonly [hours: number, value: number];

export interface SoakResult {
  /** Of resident memory over the measured time, in MB per hour, with the standard error of that. */
  readonly rssMbPerHour: Line | undefined;
  /** The same of the least of each minute: collections of garbage make resident memory a saw, and this its teeth's roots. */
  readonly rssFloorMbPerHour: Line | undefined;
  /** Of latencies over the measured time, in milliseconds per hour. */
  readonly finalMsPerHour: Line | undefined;
  readonly e2eMsPerHour: Line | undefined;
  /** Largest resident memory of the first and of the last tenth of the measured time, in MB. */
  readonly rssMb: { readonly first: number; readonly last: number } | undefined;
  readonly leakedCalls: number | undefined;
}

export function soakOf(traces: RungTraces, turns: readonly TurnRecord[]): SoakResult {
  const points = measuredSamples(traces).flatMap(({ atMs, server }) =>
    server === undefined ? [] : [[atMs / HOUR_MS, server.rssBytes / MB] as const],
  );
  const over = (name: "ttfs" | "e2e_turn"): Line | undefined =>
    fitLine(
      turns.flatMap(({ atMs, measures }) => (measures[name] ?? []).map((value) => [atMs / HOUR_MS, value] as const)),
    );
  const tenth = Math.max(1, Math.floor(points.length / 10));
  const peak = (of: readonly Point[]): number => Math.max(...of.map(([, value]) => value));
  return {
    rssMbPerHour: fitLine(points),
    rssFloorMbPerHour: fitLine(floorOf(points)),
    finalMsPerHour: over("ttfs"),
    e2eMsPerHour: over("e2e_turn"),
    rssMb: points.length === 0 ? undefined : { first: peak(points.slice(0, tenth)), last: peak(points.slice(-tenth)) },
    leakedCalls: traces.leakedCalls,
  };
}

/** The lowest point of each minute. */
function floorOf(points: readonly Point[]): Point[] {
  const lowest = new Map<number, Point>();
  for (const point of points) {
    const minute = Math.floor(point[0] * MINUTES);
    const low = lowest.get(minute);
    if (low === undefined || point[1] < low[1]) lowest.set(minute, point);
  }
  return [...lowest.values()];
}
