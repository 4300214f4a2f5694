/** The kinds of language models that an agent can ask: one row each. */
import { z } from "zod";
import { echoLlm } from "./echo.js";
import type { Llm } from "./llm.js";
import { openAiLlm } from "./openai.js";

export const LLM_KINDS = { echo: echoLlm, openai: openAiLlm } as const;

export const llmOptions = z.discriminatedUnion("kind", [echoLlm.options, openAiLlm.options]).prefault({ kind: "echo" });
export type LlmOptions = z.infer<typeof llmOptions>;

/** Throws LLM_KEY_MISSING. */
export function createLlm(
  options: LlmOptions,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Llm {
  switch (options.kind) {
    case "echo":
      return LLM_KINDS.echo.create(options);
    case "openai":
      return LLM_KINDS.openai.create(options, environment);
  }
}
