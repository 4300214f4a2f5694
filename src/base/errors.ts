/**
 * One class and one table for every operating error (DESIGN 9). `docs/ERRORS.md` is generated from the table.
 *
 * Programmer errors are assertions (`assert.ts`); the data plane returns booleans and counts. Everything that a user
 * of the CLI, the library or a socket can be told has its row here.
 */
import { ACCESS_ERRORS } from "./errors-access.js";
import { AUDIO_ERRORS } from "./errors-audio.js";
import { CAPACITY_ERRORS } from "./errors-capacity.js";
import { CATALOGUE_ERRORS } from "./errors-catalogue.js";
import { HTTP_ERRORS } from "./errors-http.js";
import { LLM_ERRORS } from "./errors-llm.js";
import { LOAD_ERRORS } from "./errors-load.js";
import { type ErrorRow, row } from "./errors-row.js";

export type { ErrorRow } from "./errors-row.js";

/** Codes are `AREA_WHAT`. Sorted by area. */
export const ERRORS = {
  ...AUDIO_ERRORS,
  ...ACCESS_ERRORS,
  CALL_ASK_REFUSED: row("the agent was not asked: {reason}", "Ask a graph with an agent, a few sentences each.", 4002),
  CALL_AUDIO_ODD_BYTES: row(
    "a binary message of {byteCount} bytes is not a whole number of {sampleBytes}-byte samples",
    "Send whole samples: little-endian signed 16-bit PCM unless negotiated otherwise.",
    1007,
  ),
  CALL_AUDIO_REFUSED: row("graph {graph} does not recognise speech", "Use a graph with a recogniser.", 4002),
  CALL_AUDIO_TOO_FAST: row(
    "audio came faster than {factor}× real time for more than {burstMs} ms of buffered audio",
    "Pace the audio at real time, or use `syrinx transcribe` for files.",
    1008,
  ),
  CALL_CLIENT_GONE: row("the client of this call has gone", "Open a new call; keep reading and answering pings.", 1001),
  CALL_EVENTS_TAKEN: row(
    "the events of call {callId} go to its onEvent callback",
    "Open the call without onEvent to iterate over its events.",
  ),
  CALL_OPTION_INVALID: row(
    "call option {option} is not valid: {reason}",
    "See the graph's nodes and their options: `syrinx graph`.",
    4002,
  ),
  CALL_TEXT_REFUSED: row(
    "graph {graph} does not take text",
    "Use a graph whose first node takes text, such as a voice.",
    4002,
  ),
  CALL_CLOSED: row("the call {callId} is closed", "Open a new call.", 1000),
  CALL_CONFIGURE_LATE: row(
    "options of node {node} cannot change once the call is open",
    "Connect with `setup=message` and give them in the first `configure`.",
    1008,
  ),
  CALL_FAILED: row("the call failed: {reason} ({code})", "See {code} in docs/ERRORS.md.", 1011),
  CALL_NO_ANSWER: row(
    "no answer came within {waitedMs} ms after the recording",
    "Check with `syrinx transcribe` that the recording is understood, and the server's log.",
    1011,
  ),
  CALL_GRAPH_UNKNOWN: row("there is no graph {graph}", "Use one of: {known}.", 4001),
  CALL_IDLE: row(
    "nothing came from the client for {idleMs} ms",
    "Send audio (silence counts) or `keepalive`, or raise server.idleTimeoutMs.",
    4000,
  ),
  ...CAPACITY_ERRORS,
  CALL_POISON: row(
    "a frame of this call made node {node} fail {attempts} times and was skipped",
    "Report the audio or text that does this; other calls are not affected.",
    1011,
  ),
  CALL_WORKER_FAILED: row(
    "the worker {worker} that served this call has stopped for good: {reason}",
    "Open a new call after the server restarts; see its log.",
    1011,
    true,
  ),
  ...HTTP_ERRORS,
  CONFIG_INVALID: row(
    "{file} has {errorCount} error(s)\n\n{report}",
    "Fix what the list names; `syrinx check {file}` prints it again.",
  ),
  CLI_OPTION_INVALID: row("{option} cannot be {value}: expected {expected}", "See --help for the command."),
  CLI_SERVER_UNREACHABLE: row(
    "no server of Syrinx answers at {url}: {reason}",
    "Start one with `syrinx serve`, or name its address.",
  ),
  INTERNAL: row("an internal error: {reason}", "Report this with the log lines around it.", 1011),
  DEVICE_PRECISION: row(
    "{path} computes in int8 ({operators}), which device {device} does not",
    "Give {device} the fp16 or fp32 file of this model, or use `device: cpu` for this one.",
  ),
  DEVICE_UNAVAILABLE: row(
    "device {device} is not available here: {reason}",
    "Use `device: cpu` or `device: auto`; `syrinx devices` lists what works on this machine.",
  ),
  DEVICE_WRONG_ANSWERS: row(
    "{path} gives other answers on {device} than on the CPU: {difference}",
    "Use `device: cpu` for this model. The provider or the driver computes wrong; a newer one may not.",
  ),
  ...LLM_ERRORS,
  ...CATALOGUE_ERRORS,
  ...LOAD_ERRORS,
  MODEL_FILE_INVALID: row(
    "{path} is not a model this build can load: {reason}",
    "Fetch the file again and compare its sha256 with the model's card.",
  ),
  MODEL_FILE_MISSING: row(
    "there is no model file {path}",
    "Check the path; relative paths start at the configuration file's folder.",
  ),
  MODEL_TENSORS_MISMATCH: row(
    "{path} has other tensors than family {family} expects: {difference}",
    "Choose the family this file was made for, or export it with the tensors expected.",
  ),
  PROTOCOL_BAD_JSON: row(
    "a text message is not JSON: {problem}",
    "Send control messages as JSON text, and PCM as binary messages.",
    1007,
  ),
  PROTOCOL_BINARY_JSON: row(
    "a binary message holds JSON",
    "Send control messages as text messages; binary messages are audio.",
    1007,
  ),
  PROTOCOL_ERRORS: row(
    "{limit} messages of this call broke the protocol",
    "See the errors before this one; docs/PROTOCOL.md has every message.",
    1008,
  ),
  PROTOCOL_FIRST_MESSAGE: row(
    "the message that opens the call did not come within {timeoutMs} ms",
    "Send `configure` as soon as the socket is open, or connect without `setup=message`.",
    1008,
  ),
  PROTOCOL_FLOOD: row(
    "messages came faster than they can be served",
    "Send fewer, larger messages: 20 ms of audio each; docs/PROTOCOL.md names the limits.",
    1008,
  ),
  PROTOCOL_FRAGMENTS: row(
    "a message came in more than {limit} fragments",
    "Send each message in one WebSocket frame.",
    1008,
  ),
  PROTOCOL_FRAME: row("a WebSocket frame is malformed: {problem}", "Use a conforming WebSocket client.", 1002),
  PROTOCOL_KEY_FORBIDDEN: row("a message has a key {key}", "Leave the key out.", 1008),
  PROTOCOL_MESSAGE_INVALID: row(
    "a message {type} is not valid: {problem}",
    "docs/PROTOCOL.md has the fields of every message.",
    1008,
  ),
  PROTOCOL_PARAMETER: row(
    "the query parameter {parameter} is not valid: {problem}",
    "docs/PROTOCOL.md lists the parameters and their ranges.",
    4002,
  ),
  PROTOCOL_PROTOBUF: row("{byteCount} bytes are no Pipecat frame", "Send one protobuf Frame per binary message.", 1007),
  PROTOCOL_TOO_BIG: row(
    "a message is larger than {limit} bytes",
    "Send audio in messages of 20 to 100 ms, and control messages of at most 16 KiB.",
    1009,
  ),
  PROTOCOL_TYPE_UNKNOWN: row("there is no message type {type}", "Use one of: {known}.", 1008),
  PROTOCOL_UTF8: row("a text message is not UTF-8", "Encode text messages as UTF-8; send audio as binary.", 1007),
  PROTOCOL_VERSION: row(
    "this server speaks none of the offered subprotocols: {offered}",
    "Offer {supported}, or no subprotocol.",
    1002,
  ),
  ROUTE_INVALID: row("the route {path} is not valid: {problem}", "Correct `routes` in the configuration.", 1011),
  MODULE_INVALID: row(
    "module {module} cannot be used: {reason}",
    "Export at least one result of defineActor or defineFamily from it.",
  ),
  RUNTIME_CLOSED: row("the runtime is draining or closed", "Open calls only before drain().", 1012, true),
  TTS_FAILED: row(
    "the voice could not speak a text: {reason}",
    "Say it in other words or with another voice; other texts of this call are not affected.",
  ),
  TTS_LANGUAGE_UNKNOWN: row(
    "this voice has no phonemes for the language {language}",
    "Use `language: en-us`, or name a module for other languages in the model's `phonemizer`; see docs/VOICES.md.",
  ),
  TTS_PHONEMIZER_INVALID: row(
    "the phonemizer {module} cannot be used: {reason}",
    "Install the module beside the configuration, and export a function `phonemize(text, language)` from it.",
  ),
  TTS_TEXT_TOO_LONG: row(
    "a text of {charCount} characters is longer than the {limit} that are spoken in one go",
    "Send it in parts, best one sentence at a time.",
    1007,
  ),
  TTS_VOICE_UNKNOWN: row("there is no voice {voice}", "Use one of: {known}.", 4001),
  SERVER_ANONYMOUS: row(
    "others can reach {host}, and there are no API keys",
    "Configure server.apiKeys, or server.allowAnonymous: true, or listen on 127.0.0.1.",
  ),
  SERVER_LISTEN_FAILED: row(
    "cannot listen on {host} port {port}: {reason}",
    "Choose another server.port (0 takes a free one) or stop the program that holds it.",
  ),
  SLOW_CLIENT: row(
    "the client reads too slowly: {byteCount} bytes wait for it",
    "Read all messages as they come, on a link of at least twice the audio's rate.",
    4008,
    true,
  ),
  WORKER_TIMEOUT: row(
    "worker {worker} did not answer {operation} within {timeoutMs} ms",
    "See the log for what it was doing; restart the process if it hangs.",
    1011,
    true,
  ),
  WORKER_START_FAILED: row(
    "worker {worker} could not start: {reason}",
    "Fix what the reason names and start again.",
    1011,
  ),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;
export type ErrorDetail = Readonly<Record<string, string | number | boolean | undefined>>;

/** How an error crosses a thread or a socket: plain data, nothing lost that a reader needs. */
export interface WireError {
  readonly name: "SyrinxError";
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
  readonly closeCode: number;
  readonly detail: ErrorDetail;
  readonly cause?: string;
}

function fill(template: string, detail: ErrorDetail): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) =>
    detail[name] === undefined ? whole : String(detail[name]),
  );
}

/** An operating error: has a code from {@link ERRORS}, a message about what was wrong and a hint about what to do. */
export class SyrinxError extends Error {
  override readonly name = "SyrinxError";
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;
  readonly hint: string;
  readonly retryable: boolean;
  readonly closeCode: number;

  constructor(code: ErrorCode, detail: ErrorDetail = {}, cause?: unknown) {
    const found = ERRORS[code];
    super(fill(found.message, detail), cause === undefined ? undefined : { cause });
    this.code = code;
    this.detail = detail;
    this.hint = fill(found.hint, detail);
    this.retryable = found.retryable;
    this.closeCode = found.closeCode;
  }
}

/** By shape, not `instanceof`: two copies of the package may be loaded in one process. */
export function isSyrinxError(value: unknown): value is SyrinxError {
  return value instanceof Error && value.name === "SyrinxError" && "code" in value && String(value.code) in ERRORS;
}

/** A sentence about any thrown thing. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}

/** Wraps whatever was thrown, so that callers always hold a code. */
export function toSyrinxError(error: unknown): SyrinxError {
  return isSyrinxError(error) ? error : new SyrinxError("INTERNAL", { reason: reasonOf(error) }, error);
}

export function toWire(error: unknown): WireError {
  const known = toSyrinxError(error);
  const { code, message, hint, retryable, closeCode, detail } = known;
  const cause = known.cause === undefined ? {} : { cause: reasonOf(known.cause) };
  return { name: "SyrinxError", code, message, hint, retryable, closeCode, detail, ...cause };
}

export function isWireError(value: unknown): value is WireError {
  return (
    typeof value === "object" &&
    value !== null &&
    (value as WireError).name === "SyrinxError" &&
    (value as WireError).code in ERRORS
  );
}

export function fromWire(wire: WireError): SyrinxError {
  return new SyrinxError(wire.code, wire.detail, wire.cause === undefined ? undefined : new Error(wire.cause));
}
