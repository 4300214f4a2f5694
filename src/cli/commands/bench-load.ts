import { Command } from "commander";
import { SyrinxError } from "../../base/errors.js";
import { shippedConfig } from "../options.js";

/** Every option of `syrinx bench load`, as it was given. */
export interface BenchLoadOptions {
  readonly url?: string;
  readonly config: string;
  readonly pid?: number;
  readonly face: string;
  readonly graph?: string;
  readonly model?: string;
  readonly apiKey?: string;
  readonly recordings?: string;
  readonly calls: readonly number[];
  readonly find?: boolean;
  readonly slo?: string;
  readonly maxCalls: number;
  readonly confirm: number;
  readonly duration?: number;
  readonly warmup?: number;
  readonly soak?: number;
  readonly arrivals: number;
  readonly callLength?: number;
  readonly think: number;
  readonly answer: number;
  readonly bargein: number;
  readonly finalize: number;
  readonly synchronised?: boolean;
  readonly slowReaders: number;
  readonly abrupt: number;
  readonly seed: number;
  readonly json?: boolean;
  readonly html?: string;
}

export function addBench(program: Command): void {
  const bench = program
    .command("bench")
    .summary("measure a server under load")
    .description("Measures a server from outside, as its callers find it.")
    .addHelpText("after", "\nExamples:\n  syrinx bench load --calls 1,10,20\n");
  const load = loadCommand().copyInheritedSettings(bench).exitOverride().showHelpAfterError("(--help shows how)");
  bench.addCommand(load);
}

function loadCommand(): Command {
  const command = new Command("load")
    .summary("calls that talk, over the real WebSocket")
    .description(
      "Holds many calls with a server, each talking at the pace of speech whatever the server does, and measures what " +
        "callers get. docs/BENCHMARKS.md defines every figure. Exit code 3: the generator was too late, the run is void.",
    )
    .option("--url <url>", "a running server; without it, one is started from the configuration")
    .option("-c, --config <file>", "configuration to serve", shippedConfig("assistant"))
    .option("--pid <number>", "process of the server at --url, if it runs on this machine", whole("--pid"))
    .option(
      "--face <name>",
      "native, deepgram-listen, deepgram-speak, openai-transcriptions or openai-speech",
      "native",
    )
    .option("-g, --graph <name>", "graph to call (default: the server's)")
    .option("--model <name>", "model to ask for, on faces that name one")
    .option("--api-key <key>", "key for the server (default: environment variable SYRINX_API_KEY)")
    .option("--recordings <folder>", "what callers say (default: the package's samples)")
    .option("--calls <list>", "calls at once, one rung each, such as 10,20,40", callList, [1]);
  return measuring(behaviour(command))
    .option("--json", "JSON lines: every turn, every second, every rung")
    .option("--html <file>", "a report with plots, in one file")
    .addHelpText(
      "after",
      "\nExamples:\n  syrinx bench load --calls 1,10,20 --html load.html\n" +
        "  syrinx bench load --find --slo ttfa_p95=800ms,final_p95=300ms\n" +
        "  syrinx bench load --url ws://127.0.0.1:8080 --calls 20 --soak 1h --json > soak.jsonl\n",
    )
    .action(run);
}

function measuring(command: Command): Command {
  return command
    .option("--slo <objectives>", "what must hold, such as ttfa_p95=800ms,final_p95=300ms,c100=99%")
    .option("--find", "find the most calls that meet --slo, from the first of --calls on")
    .option("--max-calls <number>", "--find looks no further", whole("--max-calls"), 256)
    .option(
      "--confirm <times>",
      "times that the found number is tried again; most must meet --slo",
      whole("--confirm", 0),
      2,
    )
    .option("--duration <time>", "measured time of a rung (default: 30s)", duration("--duration"))
    .option("--warmup <time>", "after the last arrival, not measured (default: 5s)", duration("--warmup"))
    .option("--soak <time>", "one long rung: growth of memory, drift, leaked slots", duration("--soak"));
}

function behaviour(command: Command): Command {
  return command
    .option("--arrivals <rate>", "calls that arrive in a second, on average", positive("--arrivals"), 5)
    .option("--call-length <time>", "mean length of calls (default: the rung; 1m in a soak)", duration("--call-length"))
    .option("--think <time>", "mean pause before speech", duration("--think"), 1_000)
    .option("--answer <time>", "longest wait for an answer", duration("--answer"), 10_000)
    .option("--bargein <probability>", "speech begins at a random point of the reply", share("--bargein"), 0.1)
    .option("--finalize <probability>", "callers ask for the final as soon as they have spoken", share("--finalize"), 0)
    .option("--synchronised", "all calls begin, speak and pause at the same instants")
    .option("--slow-readers <share>", "calls that hardly read what they are sent", share("--slow-readers"), 0)
    .option("--abrupt <share>", "calls that vanish without a word, and dial again", share("--abrupt"), 0)
    .option("--seed <number>", "another seed, other chances", whole("--seed", 0), 1);
}

async function run(options: BenchLoadOptions): Promise<void> {
  const { benchLoad } = await import("../load/bench.js");
  await benchLoad(options);
}

function invalid(option: string, value: string, expected: string): SyrinxError {
  return new SyrinxError("CLI_OPTION_INVALID", { option, value, expected });
}

function callList(text: string): number[] {
  const list = text.split(",").map(Number);
  if (list.every((calls) => Number.isInteger(calls) && calls > 0)) return list;
  throw invalid("--calls", text, "whole numbers from 1 on, separated by commas");
}

function whole(option: string, min = 1): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isInteger(value) && value >= min) return value;
    throw invalid(option, text, `a whole number from ${min} on`);
  };
}

function positive(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (value > 0 && Number.isFinite(value)) return value;
    throw invalid(option, text, "a number above 0");
  };
}

function share(option: string): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= 0 && value <= 1) return value;
    throw invalid(option, text, "a number from 0 to 1");
  };
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** In milliseconds. */
function duration(option: string): (text: string) => number {
  return (text) => {
    const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
    if (number !== undefined) return Number(number) * UNITS_MS[unit!]!;
    throw invalid(option, text, "a time such as 500ms, 30s, 10m or 1h");
  };
}
