/**
 * Question: with twice as many callers as there is room for, do those who are let in keep what they were promised?
 *
 *     callers ──► come at random, 2 × the planned capacity, talk, hang up
 *     (process)        │
 *                      ▼
 *     server ──► admission: in, or 503 ──► configs/assistant.yaml over WebSocket on loopback
 *
 * The capacity is what `syrinx plan` left in the cache for that configuration, else its own calibration finds it first. Then
 * the same callers come to a server that admits by it, to one that admits by estimate, and to one that lets everybody in. Of all answers, the share within the promise (final 300 ms, first audio 250 ms, counted from
 * when the audio that settles them was meant to be sent); of all refusals, the time from the request to the 503.
 *
 * What it is not: the machine's capacity for callers from elsewhere. Callers, server and models share its cores, and the
 * callers' own lateness is in every figure; it is printed, and above 5 ms at its 99th percentile the figures are called void. Whoever hangs up before an answer came is counted in neither
 * share, which flatters the server without admission.
 */
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { decodeAudio } from "../src/audio/decode.js";
import { calibrate } from "../src/cli/plan/calibrate.js";
import { GENERATOR_LATE_MS_MAX } from "../src/cli/plan/verdict.js";
import type { Plan } from "../src/config/plan.js";
import { capacityKey, readCapacity, writeCapacity } from "../src/runtime/admission/capacity-file.js";
import { startServer } from "../src/transport/server.js";
import {
  type Bench,
  type BenchContext,
  type Figure,
  numberIn,
  numberOf,
  type Sample,
  type VariantParameters,
} from "./harness/bench.js";
import { figure } from "./harness/figures.js";
import { samplePath, shippedPlan, startRuntime } from "./harness/plans.js";
import { quantile } from "./harness/statistics.js";
import type { Offer, Offered } from "./overload/messages.js";

const GRAPH = "assistant";
const SLO = { finalP95Ms: 300, ttfaP95Ms: 250, lagP95Ms: 100 };
const SLOTS = 256;
const OVERLOAD = 2;
const CALLERS = new URL("./overload/callers.js", import.meta.url);

async function recordings(): Promise<Int16Array[]> {
  const names = ["lights.wav", "question.wav", "time.wav", "timer.wav"];
  return Promise.all(names.map(async (name) => (await decodeAudio(readFileSync(samplePath(name)), name)).pcm));
}

async function served<T>(server: Partial<Plan["server"]>, act: (url: string, plan: Plan) => Promise<T>): Promise<T> {
  const shipped = await shippedPlan(GRAPH, SLOTS);
  const plan = { ...shipped, server: { ...shipped.server, port: 0, ...server } };
  const runtime = await startRuntime(plan);
  const listening = await startServer(runtime);
  try {
    return await act(`ws://127.0.0.1:${listening.port}`, plan);
  } finally {
    await listening.close();
    await runtime.drain();
  }
}

async function planned(parameters: VariantParameters): Promise<Sample> {
  const seconds = numberIn(parameters, "seconds");
  return served({ admission: { mode: "off", slo: SLO, degrade: false } }, async (url, plan) => {
    const found = await calibrate({
      url,
      graph: plan.graphs[0]!,
      slo: SLO,
      recordings: await recordings(),
      hasAnswers: true,
      callsMax: SLOTS,
      seconds,
      safetyFactor: 0.8,
      progress: () => {},
    });
    return { capacity: found.capacity, kept: found.keptCalls, tries: found.rungs.length };
  });
}

function offeredTo(mode: "plan" | "live" | "off") {
  return async (parameters: VariantParameters): Promise<Sample> => {
    const capacity = numberIn(parameters, "capacity");
    const lifeMs = numberIn(parameters, "lifeMs");
    const file = `${parameters.folder}/capacity.json`;
    const bare = await shippedPlan(GRAPH, SLOTS);
    const graph = { capacity, keptCalls: capacity, limitedBy: "time" as const, rungs: [] };
    writeCapacity(file, {
      key: capacityKey(bare),
      about: "bench",
      safetyFactor: 1,
      slo: SLO,
      graphs: { [GRAPH]: graph },
    });
    const admission = { mode, file, slo: SLO, degrade: false };
    const offered = await served({ admission }, async (url) =>
      come({
        url,
        graph: GRAPH,
        recordings: (await recordings()).map((pcm) =>
          Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength).toString("base64"),
        ),
        callsPerSecond: (numberIn(parameters, "overload") * capacity * 1000) / lifeMs,
        lifeMs,
        warmMs: lifeMs,
        measureMs: numberIn(parameters, "measureMs"),
      }),
    );
    if (mode === "plan" && offered.mostOpen > capacity)
      throw new Error(`${offered.mostOpen} calls were open of ${capacity}`);
    if (mode === "plan" && offered.refusalMs.length === 0) throw new Error("nobody was refused under twice the load");
    if (mode === "off" && offered.refusalMs.length > 0) throw new Error("somebody was refused without admission");
    return sampleOf(offered);
  };
}

function sampleOf(offered: Offered): Sample {
  const { final, ttfa, refusalMs } = offered;
  const kept = (values: readonly number[], promiseMs: number): number =>
    values.length === 0 ? 0 : (100 * values.filter((ms) => ms <= promiseMs).length) / values.length;
  return {
    final: kept(final, SLO.finalP95Ms),
    ttfa: kept(ttfa, SLO.ttfaP95Ms),
    finals: final.length,
    replies: ttfa.length,
    "final p95": final.length === 0 ? 0 : quantile(final, 0.95),
    "ttfa p95": ttfa.length === 0 ? 0 : quantile(ttfa, 0.95),
    faults: offered.faults,
    offered: offered.offered,
    admitted: offered.admitted,
    "most open": offered.mostOpen,
    lateness: quantile(offered.sendLateMs, 0.99),
    refusals: refusalMs.length,
    "refusal p50": refusalMs.length === 0 ? 0 : quantile(refusalMs, 0.5),
    "refusal p99": refusalMs.length === 0 ? 0 : quantile(refusalMs, 0.99),
  };
}

/** In a process of their own, ahead of the server where the system permits. */
function come(offer: Offer): Promise<Offered> {
  const child = fork(CALLERS, [], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  try {
    setPriority(child.pid!, -10);
  } catch {
    // Not permitted: their lateness is measured anyway.
  }
  return new Promise<Offered>((resolve, reject) => {
    child.once("message", (offered: Offered) => resolve(offered));
    child.once("exit", () => reject(new Error("the callers' process ended")));
    child.send(offer);
  }).finally(() => child.kill("SIGKILL"));
}

export const overloadBench: Bench = {
  name: "overload",
  variants: { planned, guarded: offeredTo("plan"), estimated: offeredTo("live"), unguarded: offeredTo("off") },
  async run(context: BenchContext): Promise<readonly Figure[]> {
    const folder = mkdtempSync(join(tmpdir(), "syrinx-overload-"));
    try {
      return await compare(context, folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

type Door = "guarded" | "estimated" | "unguarded";

async function compare(context: BenchContext, folder: string): Promise<readonly Figure[]> {
  const size = context.isSmoke
    ? { repeats: 1, overload: 8, lifeMs: 1_500, measureMs: 4_000 }
    : { repeats: 3, overload: OVERLOAD, lifeMs: 8_000, measureMs: 16_000 };
  const doors: readonly Door[] = context.isSmoke ? ["guarded", "unguarded"] : ["guarded", "estimated", "unguarded"];
  const capacity = context.isSmoke ? 1 : await capacityOf(context);
  const samples: Record<Door, Sample[]> = { guarded: [], estimated: [], unguarded: [] };
  for (let repeat = 0; repeat < size.repeats; repeat++) {
    for (const door of repeat % 2 === 0 ? doors : [...doors].reverse()) {
      context.progress(`${door}, ${repeat + 1} of ${size.repeats}`);
      samples[door].push(await context.variant(door, { capacity, folder, ...size }));
    }
  }
  const of = (door: Door, key: string) => samples[door].map((sample) => numberOf(sample, key));
  const sum = (door: Door, key: string) => of(door, key).reduce((total, count) => total + count, 0);
  const bar = { of: "value", must: "be under", bar: 10, aim: 5 } as const;
  const latest = Math.max(...doors.flatMap((door) => of(door, "lateness")));
  const voided = latest > GENERATOR_LATE_MS_MAX ? "VOID, callers late themselves: " : "";
  const metric = `${voided}refusal p99 by plan (${sum("guarded", "refusals")} of ${sum("guarded", "offered")} offered)`;
  const figures = [
    figure({ bench: overloadBench, metric, unit: "ms", values: of("guarded", "refusal p99"), bar }),
    figure({ bench: overloadBench, metric: "refusal p50 by plan", unit: "ms", values: of("guarded", "refusal p50") }),
  ];
  for (const door of doors.filter((each) => each !== "unguarded")) {
    const by = `${door === "guarded" ? "by plan" : "by estimate"}, ${size.overload} × ${capacity} calls offered`;
    const against = (what: string, count: string, unit: string, key: string, better: "less" | "more"): Figure => {
      const name = `${what} ${by} (n ${sum(door, count)} against ${sum("unguarded", count)})`;
      const spec = { bench: overloadBench, metric: name, unit, better };
      return figure({ ...spec, values: of(door, key), baselines: of("unguarded", key) });
    };
    figures.push(
      against("most calls at once", "admitted", "calls", "most open", "less"),
      against("finals within 300 ms", "finals", "%", "final", "more"),
      against("first audio within 250 ms", "replies", "%", "ttfa", "more"),
      against("final p95", "finals", "ms", "final p95", "less"),
      against("first audio p95", "replies", "ms", "ttfa p95", "less"),
      against("lateness p99 of the callers", "offered", "ms", "lateness", "less"),
    );
  }
  return figures;
}

/** Planned for this configuration on this machine, or found out now. */
async function capacityOf(context: BenchContext): Promise<number> {
  const known = readCapacity(await shippedPlan(GRAPH, SLOTS))?.graphs[GRAPH]?.capacity;
  if (known !== undefined) return known;
  context.progress("how many calls keep the promise");
  return numberOf(await context.variant("planned", { seconds: 60 }), "capacity");
}
