/** A bound on repeated lines: a hostile or broken client must not fill the disk. One token bucket per kind of line. */
import type { Clock } from "../base/clock.js";
import type { LogFields, Logger, LogLevel, LogMethod } from "./logger.js";

/** Kinds of lines that have a bucket of their own. At it: all further kinds share one. */
export const LOG_LIMIT_KEYS_MAX = 256;
const OVERFLOW_KEY = "";

export interface LogLimiterOptions {
  /** Lines of one kind that may come at once. Default 5. */
  readonly burst?: number;
  /** After which one more may come. Default 10000. */
  readonly refillMs?: number;
}

interface Bucket {
  tokens: number;
  filledUs: number;
  suppressedCount: number;
}

export type LimitedLogger = Pick<Logger, LogLevel>;

export class LogLimiter {
  readonly #clock: Pick<Clock, "nowUs">;
  readonly #burst: number;
  readonly #refillUs: number;
  readonly #buckets = new Map<string, Bucket>();
  #suppressedCount = 0;

  constructor(clock: Pick<Clock, "nowUs">, { burst = 5, refillMs = 10_000 }: LogLimiterOptions = {}) {
    this.#clock = clock;
    this.#burst = burst;
    this.#refillUs = refillMs * 1000;
  }

  /** Lines held back since the start, of all kinds. */
  get suppressedCount(): number {
    return this.#suppressedCount;
  }

  /**
   * `log`, but its lines come out of the bucket of `key`. The first line after some were held back says how many
   * (`suppressedCount`). @param key a constant, never data.
   */
  limited(log: Logger, key: string): LimitedLogger {
    return {
      debug: this.#method(log, "debug", key),
      info: this.#method(log, "info", key),
      warn: this.#method(log, "warn", key),
      error: this.#method(log, "error", key),
    };
  }

  #method(log: Logger, level: LogLevel, key: string): LogMethod {
    return (first: LogFields | Error | string, message?: string): void => {
      if (!log.isLevelEnabled(level)) return;
      const bucket = this.#bucket(key);
      if (bucket.tokens < 1) {
        bucket.suppressedCount += 1;
        this.#suppressedCount += 1;
        return;
      }
      bucket.tokens -= 1;
      const held = bucket.suppressedCount === 0 ? {} : { suppressedCount: bucket.suppressedCount };
      bucket.suppressedCount = 0;
      if (typeof first === "string") log[level](held, first);
      else log[level]({ ...(first instanceof Error ? { err: first } : first), ...held }, message ?? "");
    };
  }

  #bucket(key: string): Bucket {
    const nowUs = this.#clock.nowUs();
    const own = this.#buckets.has(key) || this.#buckets.size < LOG_LIMIT_KEYS_MAX ? key : OVERFLOW_KEY;
    const bucket = this.#buckets.get(own) ?? { tokens: this.#burst, filledUs: nowUs, suppressedCount: 0 };
    this.#buckets.set(own, bucket);
    const gained = (nowUs - bucket.filledUs) / this.#refillUs;
    bucket.tokens = Math.min(this.#burst, bucket.tokens + gained);
    bucket.filledUs = nowUs;
    return bucket;
  }
}
