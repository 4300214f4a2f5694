/** What `syrinx bench load` does, from its options to its exit code. */
import { writeFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { SyrinxError } from "../../base/errors.js";
import type { BenchLoadOptions } from "../commands/bench-load.js";
import { EXIT } from "../exit.js";
import { LOAD_FACES, type LoadFace } from "./driver.js";
import { line, rungLine, sampleLine, soakLine, turnLine } from "./json-lines.js";
import { type LoadOptions, type OpenLoad, openLoad } from "./load.js";
import { describeMachine } from "./machine.js";
import { judge, type Objective, parseObjectives, type Verdict } from "./objectives.js";
import type { RungResult } from "./result.js";
import type { LoadSample } from "./rung.js";
import { type Found, largestLoad, type Trial } from "./search.js";
import { type SoakResult, soakOf } from "./soak.js";
import { rungText, soakText } from "./table.js";

/** Everything that a report shows. */
export interface LoadReport {
  readonly command: string;
  readonly machine: Readonly<Record<string, string>>;
  readonly objectives: readonly string[];
  readonly rungs: readonly ReportedRung[];
  readonly found: Found | undefined;
  readonly soak: SoakResult | undefined;
}

export interface ReportedRung {
  readonly result: RungResult;
  readonly verdict: Verdict | undefined;
}

const DURATION_MS = 30_000;
const WARMUP_MS = 5_000;
const SOAK_CALL_MS = 60_000;
/** Of a soak, a tenth, within these bounds: caches and heaps fill for minutes. */
const SOAK_WARMUP_MS = [30_000, 600_000] as const;

/** Throws CLI_OPTION_INVALID and what `openLoad` throws. Sets the exit code. */
export async function benchLoad(options: BenchLoadOptions): Promise<void> {
  const objectives = options.slo === undefined ? [] : parseObjectives(options.slo);
  if (options.find === true && options.slo === undefined) {
    throw new SyrinxError("CLI_OPTION_INVALID", { option: "--find", value: "alone", expected: "--slo beside it" });
  }
  if (options.slowReaders + options.abrupt > 1) {
    const value = `${options.slowReaders} beside --abrupt ${options.abrupt}`;
    throw new SyrinxError("CLI_OPTION_INVALID", {
      option: "--slow-readers",
      value,
      expected: "both to be 1 at most together",
    });
  }
  const load = await openLoad(loadOptions(options));
  const forget = stopOnSignal(load);
  beAhead();
  const bench = new Bench(options, load, objectives);
  try {
    await bench.run();
  } finally {
    forget();
    await load.close();
  }
  const report = bench.report();
  if (options.html !== undefined) {
    const { htmlReport } = await import("./html.js");
    await writeFile(options.html, htmlReport(report));
  }
  process.exitCode = exitCodeOf(report);
}

class Bench {
  readonly #options: BenchLoadOptions;
  readonly #load: OpenLoad;
  readonly #objectives: readonly Objective[];
  readonly #rungs: ReportedRung[] = [];
  #found: Found | undefined;
  #soak: SoakResult | undefined;

  constructor(options: BenchLoadOptions, load: OpenLoad, objectives: readonly Objective[]) {
    this.#options = options;
    this.#load = load;
    this.#objectives = objectives;
  }

  async run(): Promise<void> {
    const { calls, find, json, maxCalls, confirm } = this.#options;
    const { url, solo, maxCalls: serverMax } = this.#load;
    const start = { type: "start", command: commandLine(), ...describeMachine(), url, answer: solo.answer };
    if (json === true) process.stdout.write(line(start));
    const most = find === true ? maxCalls : Math.max(...calls);
    if (serverMax !== undefined && serverMax < most) progress(`the server takes ${serverMax} calls at most`);
    if (find === true) {
      const attempt = async (count: number): Promise<Trial> => trialOf(await this.#rung(count));
      this.#found = await largestLoad({ attempt, start: calls[0]!, max: maxCalls, confirmations: confirm });
      this.#tell(foundText(this.#found), line({ type: "found", ...this.#found }));
    } else for (const count of calls) await this.#rung(count);
  }

  report(): LoadReport {
    return {
      command: commandLine(),
      machine: describeMachine(),
      objectives: this.#objectives.map(({ text }) => text),
      rungs: this.#rungs,
      found: this.#found,
      soak: this.#soak,
    };
  }

  async #rung(calls: number): Promise<ReportedRung> {
    const { result, traces } = await this.#load.rung(calls);
    const verdict = this.#objectives.length === 0 ? undefined : judge(result, this.#objectives);
    const rung = { result, verdict };
    this.#rungs.push(rung);
    this.#tell(rungText(result, verdict), rungLine(result, verdict));
    if (this.#options.soak !== undefined) {
      this.#soak = soakOf(traces, result.turns);
      this.#tell(soakText(this.#soak), soakLine(this.#soak));
    }
    return rung;
  }

  #tell(text: string, json: string): void {
    process.stdout.write(this.#options.json === true ? json : text);
  }
}

function loadOptions(options: BenchLoadOptions): LoadOptions {
  const { url, config, pid, graph, model, recordings, soak, json } = options;
  const apiKey = options.apiKey ?? process.env.SYRINX_API_KEY;
  const callMs = options.callLength ?? (soak === undefined ? undefined : SOAK_CALL_MS);
  const soakWarmupMs = Math.min(SOAK_WARMUP_MS[1], Math.max(SOAK_WARMUP_MS[0], (soak ?? 0) / 10));
  return {
    ...(url === undefined ? { config } : { url: checkedUrl(url) }),
    ...(pid === undefined ? {} : { pid }),
    ...(graph === undefined ? {} : { graph }),
    ...(model === undefined ? {} : { model }),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(recordings === undefined ? {} : { recordings }),
    ...(callMs === undefined ? {} : { callMs }),
    face: faceOf(options.face),
    seed: options.seed,
    thinkMs: options.think,
    bargeIn: options.bargein,
    finalize: options.finalize,
    answerMs: options.answer,
    arrivalsPerSecond: options.arrivals,
    isSynchronised: options.synchronised === true,
    slowReaders: options.slowReaders,
    abrupt: options.abrupt,
    warmupMs: options.warmup ?? (soak === undefined ? WARMUP_MS : soakWarmupMs),
    measureMs: soak ?? options.duration ?? DURATION_MS,
    onProgress: progress,
    onTurn: (turn, calls) => {
      if (json === true) process.stdout.write(turnLine(calls, turn));
    },
    onSample: (sample, calls) => {
      if (json === true) process.stdout.write(sampleLine(calls, sample));
      if (soak !== undefined) progressOf(sample);
    },
  };
}

const MINUTE_MS = 60_000;

/** Once a minute: a soak is long, and should be seen to live. */
function progressOf({ atMs, openCalls, server }: LoadSample): void {
  if (Math.round(atMs / 1000) % (MINUTE_MS / 1000) !== 0) return;
  const memory = server === undefined ? "" : `, ${Math.round(server.rssBytes / 1_000_000)} MB`;
  progress(`minute ${Math.round(atMs / MINUTE_MS)}: ${openCalls} calls open${memory}`);
}

function faceOf(name: string): LoadFace {
  if (Object.hasOwn(LOAD_FACES, name)) return name as LoadFace;
  const expected = Object.keys(LOAD_FACES).join(", ");
  throw new SyrinxError("CLI_OPTION_INVALID", { option: "--face", value: name, expected });
}

function checkedUrl(url: string): string {
  if (URL.canParse(url) && /^(ws|http)s?:/.test(url)) return url;
  const expected = "an address such as ws://127.0.0.1:8080";
  throw new SyrinxError("CLI_OPTION_INVALID", { option: "--url", value: url, expected });
}

function trialOf({ result, verdict }: ReportedRung): Trial {
  if (result.isVoid) return "void";
  return verdict?.meets === true ? "meets" : "misses";
}

function foundText({ calls, isLimitedByGenerator, isAtMax }: Found): string {
  if (isAtMax) return `${calls} calls meet the objectives, and --max-calls looks no further\n`;
  const why = isLimitedByGenerator ? "; the next larger load was void, so the generator may be the limit" : "";
  return calls === 0 ? `not even one call meets the objectives${why}\n` : `${calls} calls meet the objectives${why}\n`;
}

/** A void run is no result; a missed objective of a run without a search is a failure. */
function exitCodeOf({ rungs, found }: LoadReport): number {
  if (found !== undefined) return found.calls > 0 ? EXIT.ok : found.isLimitedByGenerator ? EXIT.void : EXIT.failed;
  if (rungs.some(({ result }) => result.isVoid)) return EXIT.void;
  return rungs.some(({ verdict }) => verdict?.meets === false) ? EXIT.failed : EXIT.ok;
}

/** The server is a child: it must not outlive who started it. Returns how to stop listening. */
function stopOnSignal(load: OpenLoad): () => void {
  const stop = (signal: NodeJS.Signals): void => {
    forget();
    void load.close().then(() => process.kill(process.pid, signal));
  };
  const forget = (): void => {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return forget;
}

/** As `nice`. */
const PRIORITY = -10;

/**
 * On a machine that the server keeps busy, the generator's frames would wait for the server's threads, and callers are
 * elsewhere in earnest. Where that is not permitted, lateness tells whether it mattered.
 */
function beAhead(): void {
  try {
    setPriority(PRIORITY);
  } catch {
    progress("no permission to go before the server's threads");
  }
}

function progress(text: string): void {
  process.stderr.write(`load: ${text}\n`);
}

function commandLine(): string {
  return ["syrinx", ...process.argv.slice(2)].join(" ");
}
