/**
 * Where traces go: the configuration's word first, then the environment's, by OpenTelemetry's names
 * (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
 */
import type { TracingSettings } from "../telemetry/tracing.js";
import { quote } from "./problem.js";
import type { ServerConfig } from "./schema.js";
import type { Environment, Source } from "./source.js";

const PATH = ["server", "telemetry", "otlp"];
const SERVICE_NAME = "syrinx";
const TRACES_PATH = "/v1/traces";

/** Empty without an endpoint, or if the environment forbids traces. */
export function telemetryOf(
  source: Source,
  config: ServerConfig["telemetry"]["otlp"],
  env: Environment,
): { readonly telemetry?: TracingSettings } {
  const isForbidden = said(env, "OTEL_SDK_DISABLED") === "true" || said(env, "OTEL_TRACES_EXPORTER") === "none";
  const url = isForbidden ? undefined : urlOf(source, config.endpoint, env);
  if (url === undefined) return {};
  const { "service.name": resourceName, ...resource } = pairsOf(said(env, "OTEL_RESOURCE_ATTRIBUTES") ?? "") ?? {};
  return {
    telemetry: {
      url,
      headers: config.headersEnv === undefined ? {} : headersOf(source, config.headersEnv, env),
      sampleRatio: config.sampleRatio,
      trustIncomingTrace: config.trustIncomingTrace,
      serviceName: said(env, "OTEL_SERVICE_NAME") ?? resourceName ?? SERVICE_NAME,
      resource,
    },
  };
}

function urlOf(source: Source, endpoint: string | undefined, env: Environment): string | undefined {
  if (endpoint !== undefined) return withTracesPath(endpoint);
  for (const name of ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]) {
    const value = said(env, name);
    if (value === undefined) continue;
    if (!/^https?:/i.test(value) || !URL.canParse(value)) {
      source.problems.add("invalid-value", PATH, `${name} is no URL: ${quote(value)}`, {
        expected: "a collector such as http://localhost:4318",
      });
      return undefined;
    }
    // The variable for traces alone is taken as it is; that is the standard's rule.
    return name === "OTEL_EXPORTER_OTLP_ENDPOINT" ? withTracesPath(value) : value;
  }
  return undefined;
}

function withTracesPath(endpoint: string): string {
  const url = new URL(endpoint);
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = path.endsWith(TRACES_PATH) ? path : path + TRACES_PATH;
  return url.href;
}

function headersOf(source: Source, name: string, env: Environment): Readonly<Record<string, string>> {
  const value = said(env, name);
  const headers = value === undefined ? undefined : pairsOf(value);
  if (headers !== undefined) return headers;
  // Never the value: it holds a secret.
  const message = value === undefined ? `there is no variable ${name}` : `${name} holds no headers`;
  source.problems.add("secret-missing", [...PATH, "headersEnv"], message, { expected: "name=value,name=value" });
  return {};
}

/** `a=b,c=d`, values percent-encoded; `undefined` if it is something else. */
function pairsOf(text: string): Record<string, string> | undefined {
  const pairs: Record<string, string> = {};
  for (const part of text.split(",")) {
    if (part.trim() === "") continue;
    const at = part.indexOf("=");
    const name = part.slice(0, at).trim();
    if (at < 0 || !/^[\w.-]+$/.test(name) || name === "__proto__") return undefined;
    try {
      pairs[name] = decodeURIComponent(part.slice(at + 1).trim());
    } catch {
      return undefined;
    }
  }
  return pairs;
}

/** An empty variable is an unset one; that is the standard's rule. */
function said(env: Environment, name: string): string | undefined {
  const value = Object.hasOwn(env, name) ? env[name]?.trim() : undefined;
  return value === "" ? undefined : value;
}
