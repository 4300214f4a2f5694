/** Actors as most Node programs build them: the detector on a worker, a `postMessage` for each frame there and back. */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Calls, driverOptions, ownCpuSeconds } from "./calls.js";
import { SileroCall } from "./silero-step.js";

interface Frame {
  readonly call: number;
  readonly frame: number;
  readonly pcm: Int16Array;
}
interface Answer {
  readonly call: number;
  readonly frame: number;
  readonly hasBegun: boolean;
}

async function serve({ calls: count, model }: { readonly calls: number; readonly model: string }): Promise<void> {
  const session = await SileroCall.load(model);
  const calls = Array.from({ length: count }, () => new SileroCall(session));
  let last = Promise.resolve();
  parentPort!.on("message", ({ call, frame, pcm }: Frame) => {
    last = last.then(async () => {
      parentPort!.postMessage({ call, frame, hasBegun: await calls[call]!.hear(pcm) } satisfies Answer);
    });
  });
  parentPort!.postMessage("ready");
}

async function main(): Promise<void> {
  const options = driverOptions();
  const calls = await Calls.open(options);
  const worker = new Worker(new URL(import.meta.url), { workerData: options });
  await new Promise((resolve) => worker.once("message", resolve));
  worker.on("message", ({ call, frame, hasBegun }: Answer) => {
    calls.done(call, frame);
    if (hasBegun) calls.speechStarts += 1;
  });
  const send = (call: number, frame: number): void => {
    worker.postMessage({ call, frame, pcm: calls.frame(call, frame).slice() } satisfies Frame);
  };
  const { cores } = await calls.run(send, ownCpuSeconds);
  const { version } = process;
  process.stdout.write(`${JSON.stringify(calls.report("postMessage", version, cores, process.memoryUsage.rss()))}\n`);
  // No model run may be cut short by the end of the process: its queue is far behind where it was overloaded.
  worker.postMessage = () => {};
  process.kill(process.pid, "SIGKILL");
}

await (isMainThread ? main() : serve(workerData));
