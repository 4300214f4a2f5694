/**
 * What everybody needs of a logger, without importing one: pino's calling convention, data first and then the message.
 *
 * The message is a constant string, never built from data; what varies goes into fields. Transcripts, audio and secrets
 * do not belong in fields at all; the logger's own net for those is in `log-safe.ts`.
 */
export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogThreshold = LogLevel | "silent";
export type LogFields = Readonly<Record<string, unknown>>;

/** Never throws and, on the main thread, never waits for whoever reads the log. */
export interface LogMethod {
  (fields: LogFields | Error, message: string): void;
  (message: string): void;
}

export interface Logger {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  /** A logger whose lines all carry these fields: `callId`, `node`, `worker`. Cheap enough for one per call. */
  child(fields: LogFields): Logger;
  isLevelEnabled(level: LogLevel): boolean;
}

const nothing = (): void => {};

export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLogger,
  isLevelEnabled: () => false,
};
