/** What a model's entry in the configuration may say about its ONNX Runtime session. Loads no native code. */

export const OPTIMISE_LEVELS = ["all", "extended", "basic", "none"] as const;

/** `session` of a model in the configuration. */
export interface SessionSettings {
  /**
   * Threads that one step may use on the CPU, for what an accelerator leaves to it too. More than one helps large models
   * only: small ones lose more by waking threads than they win, and scale by batch and by workers.
   */
  readonly threads: number;
  /** Keep freed memory for the next step. Without it steps are slower, and an idle model holds less. */
  readonly arena: boolean;
  /** How far ONNX Runtime may rewrite the graph when loading. */
  readonly optimise: (typeof OPTIMISE_LEVELS)[number];
}

export const DEFAULT_SESSION: SessionSettings = { threads: 1, arena: true, optimise: "all" };
