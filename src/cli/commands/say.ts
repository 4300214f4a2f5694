import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Command } from "commander";
import { encodeWav } from "../../audio/wav.js";
import { SyrinxError } from "../../base/errors.js";
import type { Plan } from "../../config/plan.js";
import { collectReply } from "../collect.js";

export function addSay(program: Command): void {
  program
    .command("say")
    .summary("speak a text into a WAV file")
    .description("Synthesises a text with one of the built-in voices, or with a voice of a configuration.")
    .argument("<text>", "what to say")
    .requiredOption("-o, --output <file>", "WAV file to write")
    .option(
      "-c, --config <file>",
      "configuration with a graph that takes text and speaks it (default: the built-in voices)",
    )
    .option("-g, --graph <name>", "graph to use (default: the first that takes text and has a voice)")
    .option("--voice <name>", "voice; of the built-in ones: slt (default), rms, awb, kal16, kal")
    .option("--speed <factor>", "pace, 0.5 to 2", parseSpeed)
    .option("--json", "print what was written as JSON")
    .addHelpText(
      "after",
      '\nExamples:\n  syrinx say "Hello, how can I help you?" -o hello.wav\n  syrinx say "Hello." -c voices.yaml --voice af_heart -o hello.wav\n',
    )
    .action(say);
}

interface SayOptions {
  readonly output: string;
  readonly config?: string;
  readonly graph?: string;
  readonly voice?: string;
  readonly speed?: number;
  readonly json?: boolean;
}

async function say(text: string, options: SayOptions): Promise<void> {
  if (text.trim() === "")
    throw new SyrinxError("CLI_OPTION_INVALID", { option: "<text>", value: text, expected: "some text" });
  const { config, voice, speed } = options;
  const { createRuntime } = await import("../../runtime/runtime.js");
  const runtime = await createRuntime(config ?? builtIn(voice), { logLevel: "error", admission: "off" });
  try {
    const { graph, node } = speakingNode(runtime.plan, options.graph);
    const call = await runtime.open(graph, {
      nodes: { [node]: { ...(voice === undefined ? {} : { voice }), ...(speed === undefined ? {} : { speed }) } },
    });
    call.say(text);
    const { pcm, rateHz } = await collectReply(call);
    await call.close();
    await mkdir(dirname(options.output), { recursive: true });
    await writeFile(options.output, encodeWav(pcm, rateHz));
    const seconds = pcm.length / rateHz;
    const report = { type: "said", file: options.output, seconds, rateHz, ...(voice === undefined ? {} : { voice }) };
    if (options.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
    else process.stdout.write(`${options.output}: ${seconds.toFixed(2)} s at ${rateHz} Hz\n`);
  } finally {
    await runtime.drain();
  }
}

function builtIn(voice: string | undefined): object {
  const model = { family: "flite", ...(voice === undefined ? {} : { voice }) };
  return { version: 1, models: { voice: model }, graphs: { say: [{ tts: { model: "voice" } }] } };
}

/** The node that speaks in a graph that takes text. */
function speakingNode(plan: Plan, wanted: string | undefined): { readonly graph: string; readonly node: string } {
  const graphs = plan.graphs.filter(({ name, accepts }) => accepts.includes("text") && (wanted ?? name) === name);
  for (const { name: graph } of graphs) {
    const found = plan.nodes.find((node) => node.graph === graph && node.actor === "tts");
    if (found !== undefined) return { graph, node: found.name };
  }
  throw new SyrinxError("CALL_TEXT_REFUSED", { graph: wanted ?? plan.graphs.map(({ name }) => name).join(", ") });
}

function parseSpeed(text: string): number {
  const speed = text.trim() === "" ? Number.NaN : Number(text);
  if (speed >= 0.5 && speed <= 2) return speed;
  throw new SyrinxError("CLI_OPTION_INVALID", { option: "--speed", value: text, expected: "a number from 0.5 to 2" });
}
