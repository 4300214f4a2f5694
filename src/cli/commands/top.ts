import type { Command } from "commander";
import { isSyrinxError, reasonOf, SyrinxError } from "../../base/errors.js";
import { readScrape, type Scrape } from "../top/exposition.js";
import { type TopState, topLines } from "../top/view.js";

/** The usual size of a terminal, for what is none. */
const COLUMNS = 120;
/** A server that does not answer a look by then is not shown. */
const ANSWER_MS = 5_000;

export function addTop(program: Command): void {
  program
    .command("top")
    .summary("watch a running server")
    .description(
      "Shows calls, turns, stages with batch sizes and queue times, workers and rings of a running server, from its /metrics. In a terminal until Ctrl-C or q; otherwise once.",
    )
    .argument("[url]", "the server", "http://127.0.0.1:8080")
    .option("-i, --interval <seconds>", "time between looks", parseInterval, 1)
    .option("--once", "look twice, print, and end")
    .addHelpText("after", "\nExamples:\n  syrinx top\n  syrinx top http://10.0.0.5:8080 --once\n")
    .action(top);
}

interface TopOptions {
  readonly interval: number;
  readonly once?: boolean;
}

async function top(url: string, { interval, once }: TopOptions): Promise<void> {
  const base = url.replace(/^ws/, "http").replace(/\/+$/, "");
  const { stdout } = process;
  let look = await lookAt(base);
  if (once === true || !stdout.isTTY) {
    await pause(interval);
    stdout.write(`${topLines(stateOf(base, look, await lookAt(base)), stdout.columns ?? COLUMNS).join("\n")}\n`);
    return;
  }
  const screen = openScreen(stdout);
  try {
    while (!screen.isLeft()) {
      await Promise.race([pause(interval), screen.left]);
      if (screen.isLeft()) return;
      const next = await lookAt(base);
      screen.show(topLines(stateOf(base, look, next), stdout.columns).slice(0, stdout.rows - 1));
      look = next;
    }
  } finally {
    screen.close();
  }
}

interface Look {
  readonly scrape: Scrape;
  readonly capacity: Readonly<Record<string, unknown>>;
  readonly atMs: number;
}

function stateOf(url: string, before: Look, after: Look): TopState {
  const seconds = (after.atMs - before.atMs) / 1000;
  return { url, interval: { before: before.scrape, after: after.scrape, seconds }, capacity: after.capacity };
}

/** Throws CLI_SERVER_UNREACHABLE. */
async function lookAt(base: string): Promise<Look> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const [metrics, capacity] = await Promise.all([
      fetch(`${base}/metrics`, { signal }),
      fetch(`${base}/v1/capacity`, { signal }),
    ]);
    if (!metrics.ok || !capacity.ok) throw unreachable(base, `it answered ${metrics.status} and ${capacity.status}`);
    const atMs = performance.now();
    return { scrape: readScrape(await metrics.text()), capacity: (await capacity.json()) as Look["capacity"], atMs };
  } catch (error) {
    if (isSyrinxError(error)) throw error;
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw unreachable(base, reasonOf(cause));
  }
}

function unreachable(url: string, reason: string): SyrinxError {
  return new SyrinxError("CLI_SERVER_UNREACHABLE", { url, reason });
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

interface Screen {
  readonly left: Promise<void>;
  isLeft(): boolean;
  show(lines: readonly string[]): void;
  close(): void;
}

const ALTERNATE = "\u001b[?1049h\u001b[?25l";
const NORMAL = "\u001b[?25h\u001b[?1049l";

/** The terminal's second screen, so that what was on the first is there again afterwards. */
function openScreen(stdout: NodeJS.WriteStream): Screen {
  let isLeft = false;
  let leave = (): void => {};
  const left = new Promise<void>((resolve) => {
    leave = () => {
      isLeft = true;
      resolve();
    };
  });
  const { stdin } = process;
  const onKey = (key: Buffer): void => {
    if (key.includes("q") || key.includes("\u0003")) leave();
  };
  if (stdin.isTTY) stdin.setRawMode(true).on("data", onKey);
  process.once("SIGINT", leave);
  process.once("SIGTERM", leave);
  stdout.write(ALTERNATE);
  return {
    left,
    isLeft: () => isLeft,
    // In one write, each line cleared behind its text: a screen that is cleared first flickers.
    show: (lines) => stdout.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\r\n")}\u001b[J`),
    close() {
      stdout.write(NORMAL);
      if (stdin.isTTY) stdin.setRawMode(false).off("data", onKey).pause();
      process.off("SIGINT", leave);
      process.off("SIGTERM", leave);
    },
  };
}

function parseInterval(text: string): number {
  const seconds = Number(text);
  if (seconds >= 0.1 && seconds <= 3600) return seconds;
  throw new SyrinxError("CLI_OPTION_INVALID", {
    option: "--interval",
    value: text,
    expected: "seconds from 0.1 to 3600",
  });
}
