/** The rows of the table about language models; `errors.ts` takes them in. */
import { type ErrorRow, row } from "./errors-row.js";

export const LLM_ERRORS = {
  LLM_GARBAGE: row(
    "the language model at {url} answered something that is not a chat completion: {reason}",
    "Check that the agent's baseUrl is an OpenAI-compatible API (usually it ends in /v1).",
    1011,
    true,
  ),
  LLM_HTTP: row(
    "the language model at {url} answered with HTTP {status}",
    "Check the agent's model name and the key in its apiKeyEnv variable; see that server's log.",
    1011,
    true,
  ),
  LLM_KEY_MISSING: row(
    "the environment variable {variable} with the language model's key is not set",
    "Set it before starting, or remove apiKeyEnv from the agent's llm options.",
  ),
  LLM_TIMEOUT: row(
    "the language model at {url} sent no {what} within {timeoutMs} ms",
    "Raise the agent's firstTokenMs or totalMs, or use a faster model.",
    1011,
    true,
  ),
  LLM_UNREACHABLE: row(
    "the language model at {url} cannot be reached: {reason}",
    "Check the agent's baseUrl and that the server there is running.",
    1011,
    true,
  ),
} as const satisfies Record<string, ErrorRow>;
