/** A server in a process of its own, so that who measures it takes nothing from it but its processor. */
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../../src/base/package-root.js";
import type { ToServer, Usage } from "./serve.js";

const ENTRY = new URL("./serve.js", import.meta.url);

export class BenchServer {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  /** @param config or its file */
  static async start(config: object | string, maxCalls: number): Promise<BenchServer> {
    const process = fork(ENTRY, [], { execArgv: ["--expose-gc"], stdio: ["ignore", "ignore", "inherit", "ipc"] });
    const { url } = await ask<{ readonly url: string }>(process, { config, maxCalls });
    return new BenchServer(process, url.replace("http", "ws"));
  }

  usage(): Promise<Usage> {
    return ask<Usage>(this.#process, "usage");
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.send("stop" satisfies ToServer);
    await exited;
  }
}

function ask<T>(process: ChildProcess, message: ToServer): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`the server ended with ${code}`));
    process.once("exit", onExit);
    process.once("message", (answer) => {
      process.off("exit", onExit);
      resolve(answer as T);
    });
    process.send(message);
  });
}

const HEAR = fileURLToPath(new URL("../modules/hear.js", import.meta.url));

/** Graphs that answer at once: without a model, and behind the starter's voice detector. */
export const HEARING: object = {
  version: 1,
  modules: [HEAR],
  models: { vad: { family: "starter-vad", device: "cpu" } },
  graphs: {
    echo: { nodes: { hear: { actor: "bench-hear", inputs: ["in"] } }, output: ["hear"] },
    vad: {
      nodes: { vad: { actor: "vad", inputs: ["in"], model: "vad" }, hear: { actor: "bench-hear", inputs: ["vad"] } },
      output: ["vad", "hear"],
    },
  },
  routes: {
    "/v1/call": { face: "native", graph: "echo", anyGraph: true },
    "/echo/v1/listen": { face: "deepgram-listen", graph: "echo" },
    "/vad/v1/listen": { face: "deepgram-listen", graph: "vad" },
  },
};

/** The shipped one with a route for every face. */
export const DROP_IN = join(packageRoot(), "configs", "drop-in.yaml");
