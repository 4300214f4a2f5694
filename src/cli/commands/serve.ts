import type { Command } from "commander";
import { SyrinxError } from "../../base/errors.js";
import { PULL_POLICIES, type PullPolicy } from "../../config/pull-policy.js";
import type { RuntimeImpl } from "../../runtime/runtime.js";
import type { RunningServer } from "../../transport/server.js";
import { shippedConfig } from "../options.js";

/** From the first signal to the end of the process, models running or not. */
const STOP_MS_MAX = 4_800;

export function addServe(program: Command): void {
  program
    .command("serve")
    .summary("run the server")
    .description("Loads the models of a configuration, warms them and serves calls over WebSocket until it is stopped.")
    .argument("[config]", "configuration file", shippedConfig("assistant"))
    .option("-p, --port <number>", "port to listen on; 0 chooses a free one (default: the configuration's)", parsePort)
    .option("--host <address>", "address to listen on (default: the configuration's)")
    .option(
      "--pull <when>",
      "models of the catalogue that are missing: never, missing (default: the configuration's)",
      parsePull,
    )
    .option("--tls-self-signed", "speak HTTPS and wss with a certificate made for this machine, for development")
    .option("--json", "print what is served as one line of JSON")
    .addHelpText("after", "\nExamples:\n  syrinx serve\n  syrinx serve my-agent.yaml --port 9000 --pull missing\n")
    .action(serve);
}

interface ServeOptions {
  readonly port?: number;
  readonly host?: string;
  readonly pull?: PullPolicy;
  readonly tlsSelfSigned?: true;
  readonly json?: boolean;
}

async function serve(config: string, options: ServeOptions): Promise<void> {
  // From the beginning: in a container, a first process that has no handler does not even hear SIGTERM.
  const stop = new StopSignal();
  const { createRuntime } = await import("../../runtime/runtime.js");
  const [runtime, { startServer }] = await Promise.all([
    createRuntime(config, options.pull === undefined ? {} : { pull: options.pull }),
    import("../../transport/server.js"),
  ]);
  if (stop.isRequested) return runtime.drain();
  const overrides = {
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(options.tlsSelfSigned === undefined ? {} : { tls: { selfSigned: true } as const }),
  };
  let server: RunningServer;
  try {
    server = await startServer(runtime, { logger: runtime.log, ...overrides });
  } catch (error) {
    await runtime.drain();
    throw error;
  }
  if (options.json === true) process.stdout.write(`${JSON.stringify(served(server))}\n`);
  else process.stdout.write(banner(config, runtime, server));
  await stop.requested;
  runtime.log.info("stopping");
  await server.close();
  await runtime.drain();
}

function served({ url, port, localUrl, certificateFile }: RunningServer): object {
  return { type: "serving", url, port, localUrl, certificateFile };
}

function banner(config: string, runtime: RuntimeImpl, server: RunningServer): string {
  const workers = runtime.status().map((worker) => `  ${worker.name.padEnd(10)} ${worker.description || "no model"}\n`);
  const web = server.url.replace(/^http/, "ws");
  const { plan } = runtime;
  const graphs = plan.graphs.map((graph) => graph.name).join(", ");
  return [
    `syrinx serves ${config}\n`,
    ...workers,
    `  graphs     ${graphs}; ${plan.server.maxCalls} calls at most\n\n`,
    ...plan.routes.map(({ path, face }) => `  ${face.padEnd(21)} ${path}\n`),
    `\n  base URL   ${server.url}, ${web}   (docs/COMPATIBILITY.md, docs/PROTOCOL.md)\n`,
    `  try it     npx syrinx talk samples/question.wav --url ${web}\n`,
    `  health     ${server.url}/readyz   ${server.url}/metrics   ${server.url}/v1/capacity\n\n`,
    server.localUrl === undefined ? "" : `  without TLS, on this machine: ${server.localUrl}\n`,
    server.certificateFile === undefined
      ? ""
      : `  its certificate is its own; clients trust it with NODE_EXTRA_CA_CERTS=${server.certificateFile}\n`,
    plan.server.apiKeys === undefined
      ? "  no API keys are configured: open to everybody who can reach this address\n"
      : `  clients need one of ${plan.server.apiKeys.keys.length} API key(s)\n`,
    "  Ctrl-C stops it.\n",
  ].join("");
}

/** The first SIGINT or SIGTERM asks for a clean end, within a time; a second one ends the process the hard way. */
class StopSignal {
  readonly requested: Promise<void>;
  isRequested = false;

  constructor() {
    this.requested = new Promise((resolve) => {
      const stop = (): void => {
        if (this.isRequested) killSelf();
        this.isRequested = true;
        setTimeout(killSelf, STOP_MS_MAX).unref();
        resolve();
      };
      process.on("SIGINT", stop);
      process.on("SIGTERM", stop);
    });
  }
}

/** A model run or load that does not end cannot be ended from here; exiting during it would abort with a core dump. */
function killSelf(): void {
  process.kill(process.pid, "SIGKILL");
}

function parsePull(text: string): PullPolicy {
  const found = PULL_POLICIES.find((policy) => policy === text);
  if (found !== undefined) return found;
  throw new SyrinxError("CLI_OPTION_INVALID", { option: "--pull", value: text, expected: PULL_POLICIES.join(" or ") });
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new SyrinxError("CLI_OPTION_INVALID", { option: "--port", value: text, expected: "a number from 0 to 65535" });
}
