/** The server's process: takes a configuration, tells its address, and on request what it has used so far. Ends when told to. */
import { loadConfig } from "../../src/config/load.js";
import { importNamed } from "../../src/runtime/import-named.js";
import { RuntimeImpl } from "../../src/runtime/runtime.js";
import { createLogger } from "../../src/telemetry/index.js";
import { type RunningServer, startServer } from "../../src/transport/server.js";

export type ToServer = { readonly config: object | string; readonly maxCalls: number } | "usage" | "stop";
export interface Usage {
  /** Of all threads. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

let runtime: RuntimeImpl | undefined;
let server: RunningServer | undefined;

async function serve(config: object | string, maxCalls: number): Promise<{ readonly url: string }> {
  await importNamed(config);
  const { plan } = loadConfig(config, { coreCount: 16 });
  const free = { ...plan, server: { ...plan.server, port: 0, maxCalls, logLevel: "silent" as const } };
  runtime = new RuntimeImpl(free, createLogger({ level: "silent" }), undefined);
  await runtime.start();
  server = await startServer(runtime);
  return { url: server.url };
}

function usage(): Usage {
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1000, rssBytes: process.memoryUsage.rss() };
}

// Whoever asked for it is gone: nobody wants an answer then, and the processors are others'.
const giveUp = (): void => {
  process.kill(process.pid, "SIGKILL");
};
process.once("disconnect", giveUp);

async function stop(): Promise<void> {
  await server?.close();
  await runtime?.drain();
  process.off("disconnect", giveUp);
  process.disconnect();
}

process.on("message", (message: ToServer) => {
  if (message === "stop") void stop();
  else if (message === "usage") process.send!(usage());
  else void serve(message.config, message.maxCalls).then((address) => process.send!(address));
});
