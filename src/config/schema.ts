/**
 * The file's own keys, section by section. What actors and families add comes from their definitions. Every key has a
 * description: editors show it, `configs/schema.json` is made from it.
 */
import { z } from "zod";
import { LIMITS } from "../base/limits.js";
import { DEFAULT_SESSION, OPTIMISE_LEVELS } from "../gpu/session-settings.js";
import { admissionSchema } from "./admission-schema.js";
import { PULL_POLICIES } from "./pull-policy.js";

/** Bounds that only a configuration can pass. At each: problem `invalid-value`. */
export const CONFIG_LIMITS = {
  replicas: 16,
  sessionThreads: 64,
  batchRows: 256,
  batchWaitMs: 1_000,
  batchDeadlineMs: 10_000,
  nodesPerGraph: 64,
  graphs: 64,
  models: 64,
  routes: 64,
  modules: 32,
  origins: 64,
  idleMsMax: 24 * 3_600_000,
} as const;

/** Wire protocols that a route may name. */
export const FACE_NAMES: readonly string[] = [
  "native",
  "deepgram-listen",
  "deepgram-flux",
  "deepgram-speak",
  "openai-models",
  "openai-speech",
  "openai-transcriptions",
  "openai-translations",
  "pipecat",
];
/** Faces that are designed but not built: named so that the answer is better than "unknown". */
export const PLANNED_FACES: readonly string[] = ["openai-realtime", "elevenlabs", "twilio"];

/** Paths that the server answers itself. */
export const RESERVED_ROUTES: readonly string[] = [
  "/livez",
  "/readyz",
  "/metrics",
  "/v1/capacity",
  "/v1/tokens",
  "/v1/auth/grant",
];
export const DEFAULT_ROUTE = "/v1/call";

export const NAME_PATTERN = /^[a-z][a-z0-9-]*$/;
export const NAME_CHARS_MAX = 64;
export const NAME_EXPECTED = "a lower-case name: a letter, then letters, digits and hyphens, at most 64";
const ROUTE_PATTERN = /^(\/[A-Za-z0-9][A-Za-z0-9._-]*)+$/;

export const TOP_KEYS = ["version", "server", "modules", "models", "graphs", "routes"] as const;

export const versionSchema = z.literal(1).describe("Version of this format.");

const secretSource = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .optional()
      .describe(
        "File with one key, or `sha256:` and its digest, per line; `#` begins a comment. Relative to this file. Read again when it changes.",
      ),
    env: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
      .optional()
      .describe("Name of a variable that holds the keys, separated by commas or spaces."),
  })
  .refine((from) => (from.file === undefined) !== (from.env === undefined), "give either `file` or `env`")
  .describe("Where the keys are read from that clients must send. Never the keys themselves.");

const tls = z
  .strictObject({
    cert: z.string().min(1).optional().describe("PEM file with the certificate and its chain. Relative to this file."),
    key: z.string().min(1).optional().describe("PEM file with its private key. Relative to this file."),
    selfSigned: z
      .literal(true)
      .optional()
      .describe("Make a certificate for localhost and this machine's name, for development."),
    port: z
      .int()
      .min(0)
      .max(65535)
      .optional()
      .describe("Port for TLS beside `port`, which is then plain and on loopback alone. Without: `port` speaks TLS."),
  })
  .refine(
    ({ cert, key, selfSigned }) =>
      selfSigned === true ? cert === undefined && key === undefined : cert !== undefined && key !== undefined,
    "give `cert` and `key`, or `selfSigned: true`",
  )
  .describe("Speak HTTPS and wss, TLS 1.2 or newer. Files are read again when they change.");

/** As browsers send it in `Origin`: no path, no default port. */
function isOrigin(text: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*]+$/.test(text)) return false;
  if (!/^https?:/.test(text)) return true;
  return URL.canParse(text) && new URL(text).origin === text;
}

const telemetry = z
  .strictObject({
    otlp: z
      .strictObject({
        endpoint: z
          .url({ protocol: /^https?$/ })
          .max(2_000)
          .optional()
          .describe("Collector that takes OTLP over HTTP, such as http://localhost:4318. `/v1/traces` is appended."),
        headersEnv: z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
          .optional()
          .describe("Name of a variable with headers for it, as `name=value,name=value`, percent-encoded."),
        sampleRatio: z.number().min(0).max(1).default(1).describe("Share of calls that are traced, each as a whole."),
        trustIncomingTrace: z
          .boolean()
          .default(false)
          .describe("A client's `traceparent` becomes the parent of its call's span. Otherwise the span links to it."),
      })
      .prefault({})
      .describe("Traces by OpenTelemetry's protocol."),
  })
  .prefault({})
  .describe("What is sent to other systems. Without an endpoint, here or in OTEL_EXPORTER_OTLP_ENDPOINT: nothing.");

const cors = z
  .strictObject({
    origins: z
      .union([
        z.literal("*"),
        z
          .array(z.string().max(300).refine(isOrigin, "an origin such as https://app.example.com, in lower case"))
          .min(1)
          .max(CONFIG_LIMITS.origins),
      ])
      .describe("Origins of pages that may use the server, beside local ones; or `*` for all."),
  })
  .describe("Which web pages may talk to the server and read its answers.");

export const serverSchema = z
  .strictObject({
    host: z.string().min(1).max(255).default("127.0.0.1").describe("Address to listen on. `0.0.0.0`: every interface."),
    port: z.int().min(0).max(65535).default(8080).describe("TCP port. 0: any free one."),
    maxCalls: z
      .int()
      .min(1)
      .max(LIMITS.callSlotsMax)
      .default(LIMITS.callSlots)
      .describe("Calls at the same time. One more is refused with CALL_LIMIT."),
    apiKeys: secretSource.optional(),
    tls: tls.optional(),
    cors: cors.optional(),
    telemetry,
    allowAnonymous: z
      .boolean()
      .default(false)
      .describe("Accept anybody who reaches the port, although it is not on loopback."),
    idleTimeoutMs: z
      .int()
      .min(1_000)
      .max(CONFIG_LIMITS.idleMsMax)
      .default(300_000)
      .describe("A call that neither sends nor receives for so long is closed."),
    admission: admissionSchema,
    pull: z
      .enum(PULL_POLICIES)
      .default("never")
      .describe("Whether models of the catalogue that are missing are fetched at the start. never: they are an error."),
    log: z
      .strictObject({
        level: z
          .enum(["debug", "info", "warn", "error", "silent"])
          .default("info")
          .describe("The least level written."),
        content: z.boolean().default(false).describe("Let transcripts appear in debug lines. They are personal data."),
      })
      .prefault({})
      .describe("Logging."),
  })
  .describe("The process's network side. Every default is safe.");
export type ServerConfig = z.infer<typeof serverSchema>;

export const modulesSchema = z
  .array(z.string().min(1).describe("JavaScript module, relative to this file."))
  .max(CONFIG_LIMITS.modules)
  .describe("Your own modules; each exports actors (`defineActor`) or families (`defineFamily`).");

const sessionSchema = z
  .strictObject({
    threads: z
      .int()
      .min(1)
      .max(CONFIG_LIMITS.sessionThreads)
      .default(DEFAULT_SESSION.threads)
      .describe("Threads of one step on the CPU. More than one helps large models only."),
    arena: z
      .boolean()
      .default(DEFAULT_SESSION.arena)
      .describe("Keep the CPU memory of a step for the next one. Without: slower steps, less memory held."),
    optimise: z
      .enum(OPTIMISE_LEVELS)
      .default(DEFAULT_SESSION.optimise)
      .describe("How far ONNX Runtime may rewrite the graph when loading."),
  })
  .prefault({})
  .describe("How ONNX Runtime is set up for this model.");

/** Settings of the CPU that would do nothing for a model that was put elsewhere by name. */
const CPU_SETTINGS = ["threads", "arena"] as const;

/** What every model entry may say; the family adds its own keys. */
const modelKeys = z.strictObject({
  family: z.string().describe("The code that knows this model's tensors."),
  catalogue: z
    .string()
    .optional()
    .describe("A model of the catalogue, as NAME or NAME@PRECISION. Gives the family and its files."),
  device: z
    .string()
    .regex(/^(auto|cpu|cuda(:\d{1,2})?|webgpu|coreml|dml)$/)
    .default("auto")
    .describe("auto, cpu, cuda, cuda:N, webgpu, coreml or dml."),
  replicas: z
    .int()
    .min(1)
    .max(CONFIG_LIMITS.replicas)
    .default(1)
    .describe("Workers that each own a copy. A call stays with one."),
  standby: z
    .boolean()
    .default(false)
    .describe("Keep a second copy open for each worker, to take over at once when it dies. Twice the memory."),
  batch: z
    .strictObject({
      max: z.int().min(1).max(CONFIG_LIMITS.batchRows).default(32).describe("The most calls in one step."),
      waitMs: z
        .number()
        .min(0)
        .max(CONFIG_LIMITS.batchWaitMs)
        .default(0)
        .describe("The longest that a ready call waits for company. 0: what is queued is the batch."),
      deadlineMs: z
        .number()
        .min(1)
        .max(CONFIG_LIMITS.batchDeadlineMs)
        .optional()
        .describe("How soon after a frame its answer should be there. Default: 40 for vad, 160 for stt, 400 for tts."),
    })
    .prefault({})
    .describe("Batching across calls."),
  session: sessionSchema,
});
export const modelSchema = modelKeys.superRefine(({ device, session }, context) => {
  if (device === "auto" || device === "cpu") return;
  for (const key of CPU_SETTINGS) {
    if (session[key] === DEFAULT_SESSION[key]) continue;
    const message = `\`${key}\` is a setting of the CPU and does nothing on ${device}`;
    context.addIssue({ code: "custom", path: ["session", key], message });
  }
});
export type ModelConfig = z.infer<typeof modelSchema>;
export const MODEL_KEYS = Object.keys(modelSchema.shape);

const onFull = z
  .enum(["drop-newest", "block-source"])
  .describe("What its producers do when the ring to this node is full. Default: drop audio input, block for the rest.");
const modelName = z.string().describe("Name of the model under `models` that the actor runs.");

/** Keys of a chain item beside the actor's options. */
export const chainNodeSchema = z.strictObject({
  name: z.string().optional().describe("The node's name. Default: the actor's."),
  model: modelName.optional(),
  onFull: onFull.optional(),
});
export const CHAIN_NODE_KEYS = Object.keys(chainNodeSchema.shape);

/** Keys of a node of the long form beside the actor's options. */
export const graphNodeSchema = z.strictObject({
  actor: z.string().describe("The node's code."),
  inputs: z.array(z.string()).min(1).describe("Nodes whose frames it takes; `in` is what the caller sends."),
  model: modelName.optional(),
  onFull: onFull.optional(),
  feedback: z.boolean().default(false).describe("Allow a circle of nodes to close at this node."),
});
export const GRAPH_NODE_KEYS = Object.keys(graphNodeSchema.shape);

export const longGraphSchema = z.strictObject({
  nodes: z.record(z.string(), z.unknown()).describe("The nodes by name."),
  output: z.array(z.string()).min(1).describe("Nodes whose results the caller receives."),
});

export const routeSchema = z.strictObject({
  face: z.string().default("native").describe("The wire protocol."),
  graph: z.string().describe("The graph that serves calls on this path."),
  anyGraph: z.boolean().default(false).describe("Let clients choose another graph with `?graph=NAME`."),
  options: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("The wire protocol's own options, as its face reads them."),
});
export type RouteConfig = z.infer<typeof routeSchema>;
export const routePathSchema = z.string().regex(ROUTE_PATTERN).max(200);
