/**
 * Any server that speaks OpenAI's chat completions with streaming: hosted ones, vLLM, llama.cpp, Ollama.
 * https://platform.openai.com/docs/api-reference/chat-streaming
 *
 * Whatever goes wrong is one of four codes. Messages name the address without its query or credentials, and never quote
 * a body: servers repeat keys in theirs.
 */
import { createParser } from "eventsource-parser";
import { z } from "zod";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import type { Llm, LlmDefinition, LlmRequest } from "./llm.js";

/** Longest event of the stream. At it: LLM_GARBAGE. */
export const EVENT_CHARS_MAX = 1 << 20;
/** Longest answer. At it: the answer ends there. */
export const ANSWER_CHARS_MAX = 32_768;

const options = z.strictObject({
  kind: z.literal("openai"),
  baseUrl: z.url({ protocol: /^https?$/ }).describe("Up to and including `/v1`."),
  model: z.string().min(1).max(200),
  apiKeyEnv: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe("Name of the environment variable with the key; absent: no key is sent."),
  maxTokens: z.number().int().min(1).max(100_000).default(400),
  temperature: z.number().min(0).max(2).optional(),
  firstTokenMs: z
    .number()
    .int()
    .min(1)
    .max(120_000)
    .default(10_000)
    .describe("Wait for the first piece of the answer, and for all of it."),
  totalMs: z.number().int().min(1).max(600_000).default(60_000),
});
export type OpenAiOptions = z.infer<typeof options>;

export const openAiLlm = {
  options,
  create(chosen: OpenAiOptions, environment: Readonly<Record<string, string | undefined>>): Llm {
    const variable = chosen.apiKeyEnv;
    const key = variable === undefined ? undefined : environment[variable];
    if (variable !== undefined && (key === undefined || key === "")) {
      throw new SyrinxError("LLM_KEY_MISSING", { variable });
    }
    return { stream: (request) => answer(chosen, key, request) };
  },
} satisfies LlmDefinition<OpenAiOptions>;

async function* answer(chosen: OpenAiOptions, key: string | undefined, request: LlmRequest): AsyncGenerator<string> {
  const url = `${chosen.baseUrl.replace(/\/+$/, "")}/chat/completions`;
  const { origin, pathname } = new URL(url);
  const shown = origin + pathname;
  const deadline = new Deadline(chosen, request.signal);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "text/event-stream",
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify(bodyOf(chosen, request)),
      signal: deadline.signal,
    });
    if (!response.ok) throw new SyrinxError("LLM_HTTP", { url: shown, status: response.status });
    let charCount = 0;
    for await (const piece of pieces(response, shown)) {
      deadline.tokenCame();
      charCount += piece.length;
      yield piece;
      if (charCount >= ANSWER_CHARS_MAX) return;
    }
  } catch (error) {
    if (request.signal.aborted) return;
    if (error instanceof SyrinxError) throw error;
    if (deadline.expired !== undefined)
      throw new SyrinxError("LLM_TIMEOUT", { url: shown, ...deadline.expired }, error);
    throw new SyrinxError("LLM_UNREACHABLE", { url: shown, reason: causeOf(error) }, error);
  } finally {
    deadline.clear();
  }
}

function bodyOf({ model, maxTokens, temperature }: OpenAiOptions, { messages }: LlmRequest): Record<string, unknown> {
  const body = { model, messages, stream: true, max_tokens: maxTokens };
  return temperature === undefined ? body : { ...body, temperature };
}

/** Both timeouts and the caller's own signal as one; leaving the connection is the same in all cases. */
class Deadline {
  expired: { readonly what: string; readonly timeoutMs: number } | undefined;
  readonly #controller = new AbortController();
  readonly #first: NodeJS.Timeout;
  readonly #total: NodeJS.Timeout;
  readonly #outer: AbortSignal;
  readonly #abort = (): void => this.#controller.abort();

  constructor({ firstTokenMs, totalMs }: OpenAiOptions, outer: AbortSignal) {
    this.#outer = outer;
    this.#first = this.#after(firstTokenMs, "first token");
    this.#total = this.#after(totalMs, "complete answer");
    outer.addEventListener("abort", this.#abort, { once: true });
    if (outer.aborted) this.#abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  tokenCame(): void {
    clearTimeout(this.#first);
  }

  clear(): void {
    clearTimeout(this.#first);
    clearTimeout(this.#total);
    this.#outer.removeEventListener("abort", this.#abort);
    // An answer that is left in the middle must not keep its connection.
    this.#controller.abort();
  }

  #after(timeoutMs: number, what: string): NodeJS.Timeout {
    return setTimeout(() => {
      this.expired = { what, timeoutMs };
      this.#abort();
    }, timeoutMs);
  }
}

const chunkSchema = z.object({
  choices: z
    .array(
      z.object({
        delta: z.object({ content: z.string().nullish() }).nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .optional(),
  error: z.unknown().optional(),
});

/** The answer's pieces out of a stream of server-sent events. */
async function* pieces(response: Response, url: string): AsyncGenerator<string> {
  const garbage = (reason: string): SyrinxError => new SyrinxError("LLM_GARBAGE", { url, reason });
  const events: string[] = [];
  let isTooLong = false;
  const parser = createParser({
    onEvent: ({ data }) => events.push(data),
    onError: ({ type }) => {
      isTooLong ||= type === "max-buffer-size-exceeded";
    },
    maxBufferSize: EVENT_CHARS_MAX,
  });
  const decoder = new TextDecoder();
  let isFinished = false;
  if (response.body === null) throw garbage("the answer has no body");
  for await (const bytes of response.body) {
    parser.feed(decoder.decode(bytes as Uint8Array, { stream: true }));
    if (isTooLong) throw garbage("one event is longer than a mebibyte");
    for (const data of events.splice(0)) {
      if (data.trim() === "[DONE]") return;
      const choice = firstChoice(data, garbage);
      if (choice?.delta?.content) yield choice.delta.content;
      isFinished ||= choice?.finish_reason != null;
    }
  }
  if (!isFinished) throw garbage("the stream ended in the middle of the answer");
}

type Choice = NonNullable<z.infer<typeof chunkSchema>["choices"]>[number];

function firstChoice(data: string, garbage: (reason: string) => SyrinxError): Choice | undefined {
  let json: unknown;
  try {
    json = JSON.parse(data);
  } catch {
    throw garbage("an event is not JSON");
  }
  const chunk = chunkSchema.safeParse(json);
  if (!chunk.success) throw garbage("an event has other fields than a chat completion's");
  if (chunk.data.error != null) throw garbage("an error stands in the stream");
  return chunk.data.choices?.[0];
}

/** Node's fetch says only `fetch failed`; what failed is the cause's code. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  return code ?? reasonOf(cause ?? error);
}
