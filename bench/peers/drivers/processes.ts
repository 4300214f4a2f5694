/** A process for each call, with a session of its own: how frameworks that serve one call scale. Frames go by pipe. */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Calls, driverOptions, ownCpuSeconds } from "./calls.js";
import { SileroCall } from "./silero-step.js";

const isCall = process.env.SYRINX_PEER_CALL !== undefined;

async function serve(): Promise<void> {
  const call = new SileroCall(await SileroCall.load(process.env.SYRINX_PEER_CALL!));
  let last = Promise.resolve();
  process.on("message", ({ frame, pcm }: { readonly frame: number; readonly pcm: Int16Array }) => {
    last = last.then(async () => {
      const hasBegun = await call.hear(pcm);
      process.send!({ frame, hasBegun });
    });
  });
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  process.send!("ready");
}

const TICKS_PER_S = 100;

/** Linux: user and system time, and resident pages. */
function usageOf({ pid }: ChildProcess): { readonly cpuSeconds: number; readonly rssBytes: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S, rssBytes: Number(fields[21]) * 4096 };
}

async function main(): Promise<void> {
  const options = driverOptions();
  const calls = await Calls.open(options);
  const env = { ...process.env, SYRINX_PEER_CALL: options.model };
  const children: ChildProcess[] = [];
  for (let call = 0; call < options.calls; call++) {
    const child = fork(fileURLToPath(import.meta.url), { env, serialization: "advanced" });
    children.push(child);
    await new Promise((resolve) => child.once("message", resolve));
    child.on("message", ({ frame, hasBegun }: { readonly frame: number; readonly hasBegun: boolean }) => {
      calls.done(call, frame);
      if (hasBegun) calls.speechStarts += 1;
    });
  }
  const cpuSeconds = (): number => children.reduce((sum, child) => sum + usageOf(child).cpuSeconds, ownCpuSeconds());
  const send = (call: number, frame: number): void => {
    children[call]!.send({ frame, pcm: calls.frame(call, frame).slice() });
  };
  const { cores } = await calls.run(send, cpuSeconds);
  const rssBytes = children.reduce((sum, child) => sum + usageOf(child).rssBytes, process.memoryUsage.rss());
  process.stdout.write(`${JSON.stringify(calls.report("process per call", process.version, cores, rssBytes))}\n`);
  for (const child of children) child.disconnect();
}

await (isCall ? serve() : main());
