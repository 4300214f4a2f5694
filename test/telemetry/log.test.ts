import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { SimulatedClock } from "../../src/base/clock.js";
import { SyrinxError } from "../../src/base/errors.js";
import { createLogger, LogLimiter, type MainLogOptions } from "../../src/telemetry/log.js";
import { LOG_LIMIT_KEYS_MAX } from "../../src/telemetry/log-limit.js";
import { LineSink, LOG_BUFFER_BYTES } from "../../src/telemetry/log-sink.js";
import { type Logger, silentLogger } from "../../src/telemetry/logger.js";

type Line = Readonly<Record<string, unknown>>;

/** A logger and what it has written. */
function captured(options: Partial<MainLogOptions> = {}) {
  const written: string[] = [];
  const stream = { write: (line: string) => void written.push(line) };
  const log = createLogger({ level: "info", format: "json", stream, ...options });
  return { log, written, lines: () => written.map((line) => JSON.parse(line) as Line) };
}

const SAID = "xylophone quagmire";

/** Everything a careless caller might do with what a user said. */
function logCarelessly(log: Logger): void {
  const frame = { kind: "transcript.final", meta: { text: SAID, words: [{ text: SAID }] }, payload: Buffer.from(SAID) };
  for (const level of ["debug", "info", "warn", "error"] as const) {
    log[level]({ frame, transcript: SAID, reply: { text: SAID }, messages: [{ content: SAID }] }, "careless");
    log[level](new SyrinxError("INTERNAL", { reason: "x", text: SAID }), "careless error");
    log.child({ text: SAID, callId: "call-1" })[level]({ finalText: SAID }, "careless child");
    log.child({ callId: "c" }).child({ prompt: SAID })[level]("careless grandchild");
  }
}

describe("a log line", () => {
  test("is one JSON object with level, time, thread, the child's fields, the fields and the message", () => {
    const { log, written, lines } = captured({ version: "1.2.3" });
    log.child({ callId: "call-1", node: "assistant.stt" }).warn({ frameCount: 3 }, "frames dropped");
    assert.equal(written.length, 1);
    assert.ok(written[0]!.endsWith("}\n"));
    const { time, ...rest } = lines()[0]!;
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(rest, {
      level: "warn",
      service: "syrinx",
      version: "1.2.3",
      thread: "main",
      callId: "call-1",
      node: "assistant.stt",
      frameCount: 3,
      msg: "frames dropped",
    });
  });

  test("is not written below the threshold, and `silent` writes nothing at all", () => {
    const { log, lines } = captured({ level: "warn" });
    log.info("no");
    log.child({ callId: "c" }).debug({ a: 1 }, "no");
    log.error("yes");
    assert.deepEqual(
      lines().map(({ msg }) => msg),
      ["yes"],
    );
    assert.equal(log.isLevelEnabled("info"), false);
    const silent = captured({ level: "silent" });
    silent.log.error({ a: 1 }, "no");
    assert.equal(silent.written.length, 0);
  });

  test("stays one line whatever a client sends, and its message is never a template", () => {
    const { log, written, lines } = captured();
    log.info({ agent: 'evil"}\r\n{"level":"error"}' }, "client connected");
    log.info({ a: 1 }, "100 %s %d %%");
    assert.equal(written.join("").trimEnd().split("\n").length, 2);
    assert.equal(lines()[1]!.msg, "100 %s %d %%");
  });

  test("never holds what was said, at the default settings, at any level", () => {
    const { log, written } = captured({ level: "debug" });
    logCarelessly(log);
    assert.equal(written.length, 16);
    assert.doesNotMatch(written.join(""), /xylophone|quagmire/);
    assert.doesNotMatch(written.join(""), new RegExp(Buffer.from(SAID).toString("base64")));
  });

  test("holds what was said only in debug lines and only when asked for", () => {
    const { log, lines } = captured({ level: "debug", content: true });
    logCarelessly(log);
    const levels = lines()
      .filter((line) => JSON.stringify(line).includes("xylophone"))
      .map(({ level }) => level);
    assert.deepEqual(new Set(levels), new Set(["debug"]));
    assert.equal(levels.length, 3);
  });

  test("takes an error alone and keeps its code", () => {
    const { log, lines } = captured();
    log.error(new SyrinxError("RUNTIME_CLOSED"), "call refused");
    assert.equal((lines()[0]!.err as Line).code, "RUNTIME_CLOSED");
    assert.equal(lines()[0]!.msg, "call refused");
  });

  test("comes from an interface that a pino logger fits as it is", () => {
    const theirs: Pick<Logger, "debug" | "info" | "warn" | "error" | "isLevelEnabled"> = pino({ level: "silent" });
    theirs.info({ a: 1 }, "x");
    assert.equal(silentLogger.child({ callId: "c" }).isLevelEnabled("error"), false);
  });
});

describe("the log of a terminal", () => {
  test("is readable: time, level, message, fields, and an error's hint below", () => {
    const { log, written } = captured({ format: "pretty", color: false });
    log.info({ callId: "call-1", ms: 3 }, "call opened");
    log.error(new SyrinxError("CALL_GRAPH_UNKNOWN", { graph: "x", known: "assistant" }), "call refused");
    assert.match(written[0]!, /^\d\d:\d\d:\d\d\.\d{3} info {2}call opened {2}thread=main callId=call-1 ms=3\n$/);
    const [, message, hint] = written[1]!.split("\n");
    assert.equal(message, "    CALL_GRAPH_UNKNOWN: there is no graph x");
    assert.equal(hint, "    Use one of: assistant.");
  });

  test("never passes a control character of the data on to the terminal", () => {
    const { log, written } = captured({ format: "pretty", color: false });
    log.error(
      { agent: "\u001b[2J\u009b31m\u202egnp\r\nforged", err: new Error("\u001b]0;title\u0007") },
      "client connected",
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
    assert.doesNotMatch(written.join(""), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    assert.match(written[0]!, /\\u001b/);
  });
});

describe("repeated lines", () => {
  test("pass until the burst is used up, then one per refill, which says how many were held back", () => {
    const clock = new SimulatedClock();
    const limiter = new LogLimiter(clock, { burst: 3, refillMs: 1000 });
    const { log, lines } = captured();
    const warn = () => limiter.limited(log, "slow client").warn({ a: 1 }, "client reads slowly");
    for (let count = 0; count < 10; count += 1) warn();
    assert.equal(lines().length, 3);
    clock.advance(999_000);
    warn();
    assert.equal(lines().length, 3);
    clock.advance(1_000);
    warn();
    assert.deepEqual(
      lines().map(({ suppressedCount }) => suppressedCount),
      [undefined, undefined, undefined, 8],
    );
    clock.advance(1_000_000);
    warn();
    assert.equal(lines().at(-1)!.suppressedCount, undefined);
    assert.equal(limiter.suppressedCount, 8);
  });

  test("of one kind do not hold back another, and lines below the threshold cost no token", () => {
    const limiter = new LogLimiter(new SimulatedClock(), { burst: 1 });
    const { log, lines } = captured();
    limiter.limited(log, "a").debug("below");
    limiter.limited(log, "a").warn("first");
    limiter.limited(log, "a").error(new Error("x"), "held");
    limiter.limited(log, "b").error(new Error("x"), "second");
    assert.deepEqual(
      lines().map(({ msg }) => msg),
      ["first", "second"],
    );
    assert.equal((lines()[1]!.err as Line).message, "x");
  });

  test("of more kinds than there are buckets share one", () => {
    const limiter = new LogLimiter(new SimulatedClock(), { burst: 1 });
    const { log, lines } = captured();
    for (let kind = 0; kind < LOG_LIMIT_KEYS_MAX + 50; kind += 1) limiter.limited(log, `kind ${kind}`).warn("x");
    assert.equal(lines().length, LOG_LIMIT_KEYS_MAX + 1);
    assert.equal(limiter.suppressedCount, 49);
  });
});

describe("a worker's line sink", () => {
  /** A descriptor that takes `room` bytes until it is given more. */
  function pipe(room: number) {
    const state = { room, taken: "" };
    const sink = new LineSink(2, (bytes) => {
      if (state.room === 0) throw Object.assign(new Error("full"), { code: "EAGAIN" });
      const byteCount = Math.min(state.room, bytes.length);
      state.room -= byteCount;
      state.taken += Buffer.from(bytes.subarray(0, byteCount)).toString();
      return byteCount;
    });
    return { sink, state };
  }

  test("keeps what a full pipe did not take, in order, and never mixes two lines", () => {
    const { sink, state } = pipe(8);
    for (const line of ["first\n", "second\n", "third\n"]) sink.write(line);
    assert.equal(state.taken, "first\nse");
    state.room = 100;
    sink.write("fourth\n");
    assert.equal(state.taken, "first\nsecond\nthird\nfourth\n");
    assert.equal(sink.droppedCount, 0);
  });

  test("drops whole lines and counts them when more waits than its bound", () => {
    const { sink, state } = pipe(0);
    const line = `${"x".repeat(1023)}\n`;
    const fitting = LOG_BUFFER_BYTES / line.length;
    for (let count = 0; count < fitting + 5; count += 1) sink.write(line);
    assert.equal(sink.droppedCount, 5);
    state.room = 1000 + 2 * line.length;
    let inherited = "";
    sink.end((text) => {
      inherited += text;
    });
    assert.equal(state.taken + inherited, line.repeat(fitting));
    assert.equal(state.taken.length, 1000 + 2 * line.length);
  });

  test("forgets what went out: its bound is on what waits, not on what was ever written", () => {
    const { sink } = pipe(Number.POSITIVE_INFINITY);
    const line = `${"x".repeat(65_535)}\n`;
    for (let count = 0; count < 40; count += 1) sink.write(line);
    assert.equal(sink.droppedCount, 0);
  });

  test("gives up for good when the reader has gone", () => {
    let attempts = 0;
    const sink = new LineSink(2, () => {
      attempts += 1;
      throw Object.assign(new Error("gone"), { code: "EPIPE" });
    });
    for (let count = 0; count < 5; count += 1) sink.write("line\n");
    assert.deepEqual({ attempts, dropped: sink.droppedCount }, { attempts: 1, dropped: 5 });
  });
});

describe("a process that logs", () => {
  const script = fileURLToPath(new URL("./log-process.js", import.meta.url));
  const run = (...parameters: string[]) => spawnSync(process.execPath, [script, ...parameters], { encoding: "utf8" });
  const all = Array.from({ length: 200 }, (_, index) => index);
  const numbersOf = (stderr: string, thread: string) =>
    stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Line)
      .filter((line) => line.thread === thread)
      .map(({ number }) => number);

  test("writes main's and its workers' lines whole to stderr, none lost, and nothing to stdout", () => {
    const { stdout, stderr, status } = run();
    assert.equal(status, 3, stderr);
    assert.equal(stdout, "");
    for (const thread of ["main", "ears/0", "voice/0"]) assert.deepEqual(numbersOf(stderr, thread), all, thread);
  });

  test("gets a worker's last lines out although the pipe was full when the worker ended", async () => {
    const child = spawn(process.execPath, [script, "full"], { stdio: ["ignore", "pipe", "pipe"] });
    // Nobody reads stderr until the worker has ended.
    await once(child.stdout, "data");
    const chunks: Buffer[] = [];
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(child, "close");
    const numbers = numbersOf(Buffer.concat(chunks).toString(), "many");
    assert.deepEqual(
      numbers,
      Array.from({ length: 3000 }, (_, index) => index),
    );
  });

  test("has written everything when flush resolves, even if it is killed then", () => {
    const { stderr, signal } = run("kill");
    assert.equal(signal, "SIGKILL");
    assert.deepEqual(numbersOf(stderr, "main"), all);
  });
});
