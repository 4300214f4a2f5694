/** What the agent asks of a language model. One file and one row in `registry.ts` add a kind. */
import type { ZodType } from "zod";

export interface LlmMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export interface LlmRequest {
  /** The conversation, oldest first; the last is the user's. Users and assistants alternate. */
  readonly messages: readonly LlmMessage[];
  /** Aborted when nobody wants the answer any more: stop, and give the connection up. */
  readonly signal: AbortSignal;
}

export interface Llm {
  /**
   * The answer in pieces, in order, none of them empty. Ends early, without an error, once the signal was aborted.
   * Throws SyrinxError with one of the LLM codes; its message never contains a key or a body.
   */
  stream(request: LlmRequest): AsyncIterable<string>;
}

export interface LlmDefinition<Options = unknown> {
  /** A strict object with `kind` and the kind's own keys. */
  readonly options: ZodType<Options>;
  /** Opens no connection. Throws LLM_KEY_MISSING. */
  create(options: Options, environment: Readonly<Record<string, string | undefined>>): Llm;
}
