/** A language model that needs none: it says what it heard. For demos and tests, offline. */
import { z } from "zod";
import type { Llm, LlmDefinition } from "./llm.js";

const options = z.strictObject({
  kind: z.literal("echo"),
  template: z.string().min(1).max(2_000).default("You said: {text}.").describe("`{text}` is what the user said last."),
});
type EchoOptions = z.infer<typeof options>;

export const echoLlm = {
  options,
  create: ({ template }: EchoOptions): Llm => ({
    async *stream({ messages, signal }) {
      const text = messages.at(-1)!.content;
      // Word by word, as real models answer.
      for (const piece of template.replaceAll("{text}", () => text).match(/\s*\S+|\s+$/g) ?? []) {
        if (signal.aborted) return;
        yield piece;
      }
    },
  }),
} satisfies LlmDefinition<EchoOptions>;
