/** `docs/ERRORS.md`, made from the table. */
import { ERRORS, type ErrorCode } from "./errors.js";

/** What the codes of an area are about, by prefix. */
export const ERROR_AREAS: Readonly<Record<string, string>> = {
  AUDIO: "Audio files and formats",
  AUTH: "Who may come in",
  CALL: "Calls",
  CAPACITY: "Capacity",
  CLI: "The command line",
  CONFIG: "Configuration files",
  DEVICE: "Devices",
  HTTP: "HTTP requests",
  INTERNAL: "Defects",
  KEY: "Limits of API keys",
  LLM: "The agent's language model",
  LOAD: "The load tool",
  MODEL: "Model files",
  MODULE: "Your own modules",
  PROTOCOL: "Messages of the native protocol",
  ROUTE: "Routes",
  RUNTIME: "The runtime as a whole",
  SERVER: "The server's socket",
  SLOW: "Slow readers",
  TLS: "TLS",
  TOKEN: "Tokens in the place of keys",
  TTS: "Speech synthesis",
  WORKER: "Worker threads",
};

/** Areas whose errors come before there is a connection to close. */
const AREAS_WITHOUT_CLOSE: readonly string[] = ["CLI", "CONFIG", "DEVICE", "MODEL", "MODULE", "ROUTE", "SERVER", "TLS"];

/** WebSocket close codes that are used, with what a client should make of them. */
export const CLOSE_CODES: Readonly<Record<number, string>> = {
  1000: "The call ended as asked.",
  1001: "The other side has gone.",
  1002: "The peer does not speak the protocol. Do not retry.",
  1007: "The data is not what it should be. Do not retry with the same data.",
  1008: "A rule was broken: keys, pace, messages. Do not retry unchanged.",
  1009: "A message is too big.",
  1011: "The server failed. Retry once if the error says retryable.",
  1012: "The server restarts. Connect again, soon, best to another one.",
  1013: "The server is full. Connect again after a pause.",
  4000: "Nothing was heard from the client for too long.",
  4001: "What was asked for does not exist.",
  4002: "What was asked for is not possible: a parameter or format.",
  4008: "The client read too slowly.",
};

/** The whole page. A test compares the file with it. */
export function renderErrorsDoc(): string {
  const codes = (Object.keys(ERRORS) as ErrorCode[]).sort();
  const areas = Object.entries(ERROR_AREAS).map(([area, title]) => {
    const own = codes.filter((code) => areaOf(code) === area);
    return [`## ${title}`, ...own.map(section)].join("\n\n");
  });
  return [INTRODUCTION, closeCodeTable(), ...areas, CLIENT].join("\n\n").concat("\n");
}

export function areaOf(code: string): string {
  return code.split("_", 1)[0]!;
}

const INTRODUCTION = `# Errors

Everything that can go wrong and be told has a code. The same code stands in the command line's message, in the library's
\`SyrinxError\`, in an \`error\` event of a call and in the JSON of an HTTP answer. Match the code, never the text. This page is
generated from \`src/base/errors.ts\`; words in braces are filled in.

- **retryable**: the same request may succeed later without any change.
- **close code**: the code with which the WebSocket closes, if the error ends the connection.
- An \`error\` event with \`fatal: false\` leaves the call open. An error of one call never touches another.

A fault in an actor's or model's JavaScript is none of these: its worker dies, is started again, and the unfinished frames
are delivered to it once more. See \`docs/OPERATIONS.md\`.`;

const CLIENT = `## Codes of the client library

\`syrinx/client\` throws \`SyrinxClientError\` with one of the codes above when the server says why, and otherwise with:

| Code | Meaning |
|---|---|
| \`CLIENT_CONNECT\` | The connection could not be made, or broke before the call was open. |
| \`CLIENT_TIMEOUT\` | The server did not open the call in time. |
| \`CLIENT_STATE\` | The client was used before the call was open. A defect of the program that uses it. |`;

function closeCodeTable(): string {
  const rows = Object.entries(CLOSE_CODES).map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return ["## Close codes", "", "| Code | What a client should make of it |", "|---|---|", ...rows].join("\n");
}

function section(code: ErrorCode): string {
  const { message, hint, retryable, closeCode } = ERRORS[code];
  const facts = [
    ...(AREAS_WITHOUT_CLOSE.includes(areaOf(code)) ? [] : [`close code ${closeCode}`]),
    ...(retryable ? ["retryable"] : []),
  ];
  const told = facts.length === 0 ? hint : `${hint} (${facts.join(", ")})`;
  return [`### ${code}`, `> ${message.split("\n", 1)[0]}`, told].join("\n\n");
}
