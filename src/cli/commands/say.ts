import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Command } from "commander";
import { encodeWav } from "../../audio/wav.js";
import { SyrinxError } from "../../base/errors.js";
import { createRuntime } from "../../runtime/runtime.js";
import { collectReply } from "../collect.js";

export function addSay(program: Command): void {
  program
    .command("say")
    .summary("speak a text into a WAV file")
    .description("Synthesises a text with one of the built-in voices.")
    .argument("<text>", "what to say")
    .requiredOption("-o, --output <file>", "WAV file to write")
    .option("--voice <name>", "voice: slt, rms, awb, kal16, kal", "slt")
    .option("--speed <factor>", "pace, 0.5 to 2", parseSpeed)
    .option("--json", "print what was written as JSON")
    .addHelpText("after", '\nExamples:\n  syrinx say "Hello, how can I help you?" -o hello.wav\n')
    .action(say);
}

interface SayOptions {
  readonly output: string;
  readonly voice: string;
  readonly speed?: number;
  readonly json?: boolean;
}

async function say(text: string, options: SayOptions): Promise<void> {
  if (text.trim() === "")
    throw new SyrinxError("CLI_OPTION_INVALID", { option: "<text>", value: text, expected: "some text" });
  const { voice, speed } = options;
  const runtime = await createRuntime(
    {
      version: 1,
      models: { voice: { family: "flite", voice } },
      graphs: { say: [{ tts: { model: "voice", ...(speed === undefined ? {} : { speed }) } }] },
    },
    { logLevel: "error" },
  );
  try {
    const call = await runtime.open("say");
    call.say(text);
    const { pcm, rateHz } = await collectReply(call);
    await call.close();
    await mkdir(dirname(options.output), { recursive: true });
    await writeFile(options.output, encodeWav(pcm, rateHz));
    const seconds = pcm.length / rateHz;
    const report = { type: "said", file: options.output, seconds, rateHz, voice };
    if (options.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
    else process.stdout.write(`${options.output}: ${seconds.toFixed(2)} s at ${rateHz} Hz, voice ${voice}\n`);
  } finally {
    await runtime.drain();
  }
}

function parseSpeed(text: string): number {
  const speed = text.trim() === "" ? Number.NaN : Number(text);
  if (speed >= 0.5 && speed <= 2) return speed;
  throw new SyrinxError("CLI_OPTION_INVALID", { option: "--speed", value: text, expected: "a number from 0.5 to 2" });
}
