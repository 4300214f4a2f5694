/**
 * The log: one JSON object per line on stderr (stdout is for what a program prints), or readable lines when stderr is a
 * terminal. pino makes the lines; `log-safe.ts` sees every field first.
 *
 * Main thread: lines are written in the background, in order, and a reader that has stopped costs lines, never time.
 * Worker threads: lines are written at once, see `log-sink.ts`.
 */
import { isatty } from "node:tty";
import { type DestinationStream, destination, type Logger as PinoLogger, pino, stdTimeFunctions } from "pino";
import { prettyLine } from "./log-pretty.js";
import { logSafe } from "./log-safe.js";
import { LineSink, LOG_BUFFER_BYTES } from "./log-sink.js";
import type { LogFields, Logger, LogLevel, LogMethod, LogThreshold } from "./logger.js";

export { LogLimiter } from "./log-limit.js";
export { type LogFields, type Logger, type LogLevel, type LogThreshold, silentLogger } from "./logger.js";

export interface LogOptions {
  readonly level: LogThreshold;
  /** Transcripts and texts may appear, in lines of level `debug` only. Default false. */
  readonly content?: boolean;
  /** Field `service` of each line. Default `syrinx`. */
  readonly name?: string;
  readonly version?: string;
  /** File descriptor. Default 2. */
  readonly fd?: number;
  /** Default: `pretty` on a terminal, else `json`. */
  readonly format?: "json" | "pretty";
  /** For `pretty`. Default: on a terminal, unless NO_COLOR is set. */
  readonly color?: boolean;
}

export interface MainLogOptions extends LogOptions {
  /** Instead of the descriptor: whole lines, as they come. Must not throw. */
  readonly stream?: { write(line: string): void };
}

/** Plain data, so that it can be handed to a thread. */
export interface WorkerLogOptions extends LogOptions {
  /** Name of the worker: field `thread` of each line. */
  readonly worker: string;
}

/** A logger that owns where its lines go. */
export interface RootLogger extends Logger {
  /** Resolves when everything that this thread has logged so far has left the process. To be awaited before `process.exit`. */
  flush(): Promise<void>;
  /** Lines lost to a reader that was too slow or gone. */
  readonly droppedCount: number;
}

/** For the main thread. Opens nothing but the descriptor, which stays open. */
export function createLogger(options: MainLogOptions): RootLogger {
  const { fd = 2, stream } = options;
  if (stream !== undefined) return rootLogger(options, "main", stream, () => 0);
  if (formatOf(options) === "pretty") return sinkLogger(options, "main");
  const background = backgroundOf(fd);
  return rootLogger(options, "main", background.stream, () => background.droppedCount);
}

/** For a worker thread. Writes at once. */
export function createWorkerLogger(options: WorkerLogOptions): RootLogger {
  return sinkLogger(options, options.worker);
}

function sinkLogger(options: LogOptions, thread: string): RootLogger {
  const sink = sinkOf(options.fd ?? 2);
  return rootLogger(options, thread, sink, () => sink.droppedCount);
}

function formatOf({ format, fd = 2 }: LogOptions): "json" | "pretty" {
  return format ?? (isatty(fd) ? "pretty" : "json");
}

function rootLogger(
  options: LogOptions,
  thread: string,
  stream: DestinationStream,
  droppedCount: () => number,
): RootLogger {
  const { level, content = false, name: service = "syrinx", version, fd = 2 } = options;
  const useColor = options.color ?? (isatty(fd) && !process.env.NO_COLOR);
  const isPretty = formatOf(options) === "pretty";
  const out = isPretty ? { write: (line: string) => stream.write(prettyLine(line, useColor)) } : stream;
  const logger = pino(
    {
      level,
      base: { service, ...(version === undefined ? {} : { version }), thread },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    out,
  );
  return {
    ...guarded(logger, content),
    flush: () => new Promise((resolve) => ("flush" in stream ? logger.flush(() => resolve()) : resolve())),
    get droppedCount() {
      return droppedCount();
    },
  };
}

/** Everything that goes into a line passes `logSafe`, the fields of a child too. Values are not interpolated. */
function guarded(inner: PinoLogger, content: boolean): Logger {
  const method = (level: LogLevel): LogMethod => {
    const showContent = content && level === "debug";
    return (first: LogFields | Error | string, message?: string): void => {
      if (!inner.isLevelEnabled(level)) return;
      if (typeof first === "string") inner[level]({}, first);
      else inner[level](logSafe(first, showContent), message);
    };
  };
  return {
    debug: method("debug"),
    info: method("info"),
    warn: method("warn"),
    error: method("error"),
    child: (fields) => guarded(inner.child(logSafe(fields, false)), content),
    isLevelEnabled: (level) => inner.isLevelEnabled(level),
  };
}

/** One per descriptor and thread: what waits must go out in order. */
const sinks = new Map<number, LineSink>();

function sinkOf(fd: number): LineSink {
  const known = sinks.get(fd);
  if (known !== undefined) return known;
  const sink = new LineSink(fd);
  // A worker's own `process.stderr` is a message to the main thread, which has time to wait for a full pipe.
  process.once("exit", () => sink.end((text) => (fd === 1 ? process.stdout : process.stderr).write(text)));
  sinks.set(fd, sink);
  return sink;
}

interface Background {
  readonly stream: DestinationStream;
  droppedCount: number;
}

/** One per descriptor and process: two writers with a buffer each would mix their lines. */
const backgrounds = new Map<number, Background>();

function backgroundOf(fd: number): Background {
  const known = backgrounds.get(fd);
  if (known !== undefined) return known;
  // minLength 1: each line starts a write, if none is under way; 0 would make `flush` return before the write is done.
  const stream = destination({ dest: fd, sync: false, minLength: 1, maxLength: LOG_BUFFER_BYTES });
  const background: Background = { stream, droppedCount: 0 };
  stream.on("drop", () => {
    background.droppedCount += 1;
  });
  backgrounds.set(fd, background);
  return background;
}
