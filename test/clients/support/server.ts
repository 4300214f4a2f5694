/** The server as its users start it: the command line in a process of its own, the shipped configuration, a free port. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** From `test/clients/dist/support`. */
export const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const MAIN = join(ROOT, "dist/src/cli/main.js");

export interface ServerOptions {
  /** Clients must then send one of them. */
  readonly keys?: readonly string[];
  readonly maxCalls?: number;
  readonly tls?: boolean;
}

export interface TestServer {
  /** `http://127.0.0.1:PORT`, or https. */
  readonly url: string;
  readonly ws: string;
  readonly pid: number;
  /** With `tls`: what clients must trust. */
  readonly certificateFile: string | undefined;
  activeCalls(): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "syrinx-clients-"));
  const config = join(folder, "server.yaml");
  writeFileSync(config, configOf(options, folder));
  const child = spawn(process.execPath, [MAIN, "serve", config, "--port", "0", "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, SYRINX_CACHE: folder },
  });
  let log = "";
  child.stderr.on("data", (chunk) => {
    log += String(chunk);
  });
  const line = await firstLine(child);
  if (line === undefined) throw new Error(`the server did not start:\n${log}`);
  const { url, certificateFile } = JSON.parse(line) as { readonly url: string; readonly certificateFile?: string };
  return {
    url,
    ws: url.replace(/^http/, "ws"),
    pid: child.pid!,
    certificateFile,
    async activeCalls() {
      return ((await (await fetch(`${url}/v1/capacity`)).json()) as { activeCalls: number }).activeCalls;
    },
    async [Symbol.asyncDispose]() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configOf({ keys, maxCalls, tls }: ServerOptions, folder: string): string {
  const shipped = readFileSync(join(ROOT, "configs/drop-in.yaml"), "utf8");
  // What a busy machine can bear is another test's business.
  const lines: string[] = ["  admission: { mode: off }"];
  if (keys !== undefined) {
    const file = join(folder, "keys.txt");
    writeFileSync(file, `${keys.join("\n")}\n`);
    lines.push(`  apiKeys: { file: ${JSON.stringify(file)} }`);
  }
  if (tls === true) lines.push("  tls: { selfSigned: true }");
  const server = [`server:`, ...lines].join("\n");
  const text = shipped.replace(/^server:$/m, server);
  return maxCalls === undefined ? text : text.replace(/^ {2}maxCalls: \d+/m, `  maxCalls: ${maxCalls}`);
}

async function firstLine(child: ChildProcess): Promise<string | undefined> {
  for await (const line of createInterface({ input: child.stdout! })) return line;
  return undefined;
}
