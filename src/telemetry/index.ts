/**
 * Telemetry's door: logs, metrics, shared-memory statistics. The only folder that knows pino and prom-client.
 *
 * Worker threads import `log.js`, `stats-slab.js` and `worker-stats.js` themselves: this file brings prom-client along,
 * which only the main thread needs.
 */
export { createLogger, createWorkerLogger, LogLimiter, type LogOptions, type RootLogger } from "./log.js";
export { type LogFields, type Logger, type LogLevel, type LogThreshold, silentLogger } from "./logger.js";
export * from "./metrics.js";
export {
  type CounterHandle,
  createStatsBuffer,
  type GaugeHandle,
  type HistogramHandle,
  type StatsHandles,
  type StatsLayout,
  StatsReader,
  StatsWriter,
} from "./stats-slab.js";
export { type CallTrace, createTracing, type Tracing, type TracingSettings } from "./tracing.js";
export type { TurnRecord } from "./turn-spans.js";
export { NODE_STATS, nodeSection, WORKER_SECTION, WORKER_STATS, workerSections } from "./worker-stats.js";
