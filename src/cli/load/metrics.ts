/** The figures of a load by name: what each is, for reports and for objectives. docs/BENCHMARKS.md defines them in full. */

export interface MetricRow {
  readonly unit: "ms" | "×";
  readonly meaning: string;
}

export const METRICS = {
  setup: { unit: "ms", meaning: "a call's intended arrival → the server is ready for its audio" },
  first_partial: { unit: "ms", meaning: "first frame with speech due → first non-empty hypothesis" },
  partial_lag: { unit: "ms", meaning: "end of a partial's last word → the partial" },
  ttfs: { unit: "ms", meaning: "true end of speech → last final transcript" },
  final_after_endpoint: { unit: "ms", meaning: "the server's own end of speech or turn → last final transcript" },
  final_after_finalize: { unit: "ms", meaning: "the caller's finalize → final transcript" },
  ttfa: { unit: "ms", meaning: "the text is there → first sample that is not silence" },
  rtf_stream: { unit: "×", meaning: "time to synthesise a reply ÷ its length" },
  underrun: { unit: "ms", meaning: "silence that a player with 100 ms of buffer puts into a reply" },
  e2e_turn: { unit: "ms", meaning: "true end of speech → first sample of the reply that is not silence" },
  e2e_turn_no_wait: { unit: "ms", meaning: "the same without the silence that ends the turn" },
  e2e_turn_no_llm: { unit: "ms", meaning: "the same without that silence and the language model" },
  bargein: { unit: "ms", meaning: "true start of speech into a reply → the reply is over at the client" },
  echo: { unit: "ms", meaning: "audio due to be sent → the same audio back, for graphs that echo" },
} as const satisfies Record<string, MetricRow>;

export type MetricName = keyof typeof METRICS;

export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];

/** Samples of one turn, or of many. */
export type Measures = { readonly [K in MetricName]?: readonly number[] };
