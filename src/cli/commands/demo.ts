import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { encodeWav } from "../../audio/wav.js";
import { SyrinxError } from "../../base/errors.js";
import { packageRoot } from "../../base/package-root.js";
import type { RunningServer } from "../../transport/server.js";
import { joinAudio } from "../collect.js";
import { decodeOne } from "../decode-one.js";
import { shippedConfig } from "../options.js";
import { terminalView } from "../talk-view.js";
import { converse, dial } from "./talk.js";

const QUESTION = "question.wav";
const REPLY = join("out", "reply.wav");

export function addDemo(program: Command): void {
  program
    .command("demo")
    .summary("a whole spoken turn, offline")
    .description(
      "Starts the server on a free port, asks it a recorded question over a real WebSocket and plays the turn.",
    )
    .option("--file <file>", "another recording to ask with", join(packageRoot(), "samples", QUESTION))
    .addHelpText("after", "\nExamples:\n  syrinx demo\n  syrinx demo --file samples/timer.wav\n")
    .action(demo);
}

async function demo(options: { readonly file: string }): Promise<void> {
  const view = terminalView(process.stdout);
  const { pcm } = await decodeOne(options.file);
  const config = shippedConfig("assistant");
  const startedMs = performance.now();
  const [{ createRuntime }, { startServer }] = await Promise.all([
    import("../../runtime/runtime.js"),
    import("../../transport/server.js"),
  ]);
  const runtime = await createRuntime(config, { logLevel: "error", admission: "off" });
  let server: RunningServer | undefined;
  try {
    server = await startServer(runtime, { port: 0, logger: runtime.log });
    view.note(`server ready in ${Math.round(performance.now() - startedMs)} ms at ${server.url}`);
    for (const { name, description } of runtime.status())
      if (description) view.note(`  ${name.padEnd(9)} ${description}`);
    view.note(`a caller plays ${options.file}\n`);
    const line = await dial(server.url.replace(/^http/, "ws"), "assistant", undefined);
    const audio = joinAudio(await converse(line, pcm, view));
    if (audio.pcm.length === 0) throw new SyrinxError("CALL_NO_ANSWER", { waitedMs: 0 });
    await mkdir("out", { recursive: true });
    await writeFile(REPLY, encodeWav(audio.pcm, audio.rateHz));
    view.note(`the answer is in ${REPLY} (${(audio.pcm.length / audio.rateHz).toFixed(2)} s)`);
  } finally {
    await server?.close();
    await runtime.drain();
  }
}
