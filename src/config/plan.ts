/**
 * A graph as validated plain data: what the configuration becomes and what the runtime starts from. Names are resolved,
 * contracts matched, options parsed. Serialisable: it is handed to every worker as is.
 */
import type { FrameKind } from "../frames/kinds.js";
import type { SessionSettings } from "../gpu/session-settings.js";
import type { ModelTask } from "../models/family.js";
import type { TracingSettings } from "../telemetry/tracing.js";
import type { ApiKey } from "./api-keys.js";

/** Ends of edges that are not nodes. */
export const EDGE_IN = -1;
export const EDGE_OUT = -2;

/** What a producer does when the ring is full. */
export type OnFull = "drop-newest" | "block-source";

export interface PlanModel {
  readonly name: string;
  readonly family: string;
  readonly task: ModelTask;
  /** As NAME@PRECISION, if it is of the catalogue. Its files are in the options, whether they are here or not. */
  readonly catalogue?: string;
  /** Parsed by the family's schema. */
  readonly options: unknown;
  readonly device: string;
  readonly replicas: number;
  /** Each replica has a second thread with the model open, that takes over when the first one dies. */
  readonly standby: boolean;
  readonly batchMax: number;
  readonly session: SessionSettings;
  /** The longest that a ready row waits for company. 0: what is queued is the batch. */
  readonly batchWaitMs: number;
  /** How long after a frame came its answer should be there. */
  readonly batchDeadlineMs: number;
}

export interface PlanNode {
  /** Position in `Plan.nodes`, unique over all graphs. */
  readonly index: number;
  readonly graph: string;
  readonly name: string;
  readonly actor: string;
  /** Parsed by the actor's schema. */
  readonly options: unknown;
  readonly model: string | undefined;
  /** Workers that may host the node's calls: one per replica. A call is pinned to one of them when it opens. */
  readonly workers: readonly number[];
  readonly stateBytes: number;
  readonly latencyMs: number;
}

export interface PlanEdge {
  readonly index: number;
  readonly graph: string;
  /** Node index, or EDGE_IN. */
  readonly from: number;
  /** Node index, or EDGE_OUT. */
  readonly to: number;
  readonly kinds: readonly FrameKind[];
  readonly onFull: OnFull;
}

export interface PlanGraph {
  readonly name: string;
  /** Node indices in topological order. */
  readonly nodes: readonly number[];
  /** What the caller may write: audio, text or both. */
  readonly accepts: readonly FrameKind[];
  /** Edges to EDGE_OUT on which a finalize fence comes back (from the last recogniser, else from the last node). */
  readonly finalizeEdges: readonly number[];
  /** Edges to EDGE_OUT of the last nodes: a mark or close is through when it came back on all of them. */
  readonly terminalEdges: readonly number[];
  /** True if a reply can come: turns then count as being answered until the reply is over. */
  readonly hasAgent: boolean;
  readonly latencyMs: number;
}

export interface PlanWorker {
  /** 1…n; 0 is the main thread. */
  readonly index: number;
  /** `io`, or `model/replica`. */
  readonly name: string;
  readonly thread: "compute" | "io";
  /** The model it owns, if any. */
  readonly model: string | undefined;
  readonly nodes: readonly number[];
}

export interface PlanRoute {
  readonly path: string;
  readonly face: string;
  readonly graph: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** What calls are promised, as 95th percentiles in milliseconds. */
export interface AdmissionSlo {
  /** From the moment at which the speech's end was to be known to the final transcript. */
  readonly finalP95Ms: number;
  /** From the moment at which the turn's end was to be known to the first audio of the reply. */
  readonly ttfaP95Ms: number;
  /** From a frame in to what the graph makes of it, for graphs that neither transcribe nor speak. */
  readonly lagP95Ms: number;
}

export interface PlanAdmission {
  /** `plan`: by the machine's capacity plan; without one, as `live`: by an estimate. `off`: by `maxCalls` alone. */
  readonly mode: "plan" | "live" | "off";
  /** Absolute path of the capacity plan; absent: in the cache, by this configuration and machine. */
  readonly file?: string;
  readonly slo: AdmissionSlo;
  /** Graphs do without some news before calls are refused. */
  readonly degrade: boolean;
}

export interface PlanKeys {
  readonly keys: readonly ApiKey[];
  /** Where they come from, if it is a file: it is read again when it changes. Absolute. */
  readonly file?: string;
}

/** Absolute paths of PEM files, or a certificate of the server's own making. */
export type PlanTls = ({ readonly cert: string; readonly key: string } | { readonly selfSigned: true }) & {
  /** Beside `PlanServer.port`, which is then plain and on loopback alone. Absent: that one speaks TLS. */
  readonly port?: number;
};

export interface PlanServer {
  readonly host: string;
  readonly port: number;
  readonly maxCalls: number;
  /** `undefined`: open, allowed on loopback only. */
  readonly apiKeys: PlanKeys | undefined;
  /** Open beyond loopback all the same. */
  readonly allowAnonymous?: boolean;
  /** Absent: plain HTTP. */
  readonly tls?: PlanTls;
  /** Pages that may come in beside local ones. Absent: any that brings a key may. */
  readonly origins?: "*" | readonly string[];
  readonly idleTimeoutMs: number;
  /** Absent: off. */
  readonly admission?: PlanAdmission;
  /** What happens to models of the catalogue that are not in the cache. Default: never. */
  readonly pull?: "never" | "missing";
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  /** Where traces go. Absent: nowhere. */
  readonly telemetry?: TracingSettings;
  /** Transcripts may appear in debug logs. */
  readonly logContent: boolean;
}

export interface Plan {
  readonly version: 1;
  /** Folder against which relative file names are resolved. */
  readonly baseFolder: string;
  readonly server: PlanServer;
  readonly models: readonly PlanModel[];
  readonly nodes: readonly PlanNode[];
  readonly edges: readonly PlanEdge[];
  readonly graphs: readonly PlanGraph[];
  readonly workers: readonly PlanWorker[];
  readonly routes: readonly PlanRoute[];
  /** URLs of user modules that define actors and families; every worker imports them. */
  readonly modules: readonly string[];
}
