import type { LogFields, Logger, LogLevel, LogMethod } from "../../src/telemetry/logger.js";
import { Watched } from "./fake-runtime.js";

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps its lines, as they were given to it, and lets tests wait for them. */
export class LogLines extends Watched implements Logger {
  readonly lines: LogLine[] = [];
  readonly debug = this.#method("debug");
  readonly info = this.#method("info");
  readonly warn = this.#method("warn");
  readonly error = this.#method("error");

  child(): Logger {
    return this;
  }

  isLevelEnabled(): boolean {
    return true;
  }

  #method(level: LogLevel): LogMethod {
    return (first: LogFields | Error | string, message?: string) => {
      const fields = typeof first === "string" ? {} : first instanceof Error ? { err: first } : first;
      this.lines.push({ level, message: message ?? String(first), fields });
      this.changed();
    };
  }
}
