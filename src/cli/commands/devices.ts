import type { Command } from "commander";
import type { Card } from "../../gpu/cards.js";
import type { DeviceReport } from "../../gpu/probe.js";

const INDENT = " ".repeat(18);

export function addDevices(program: Command): void {
  program
    .command("devices")
    .summary("list what models can run on")
    .description(
      "Tries every execution provider that this build carries and says what works here, and what is missing.",
    )
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExamples:\n  syrinx devices\n  syrinx devices --json\n")
    .action(devices);
}

async function devices(options: { readonly json?: boolean }): Promise<void> {
  const { listDevices } = await import("../../gpu/probe.js");
  const reports = await listDevices();
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(reports)}\n`);
    return;
  }
  for (const report of reports) process.stdout.write(`${linesOf(report).join("\n")}\n`);
}

function linesOf(report: DeviceReport): string[] {
  const { name, available, reason, provider, runtimeVersion, cards } = report;
  const works = available ? "works" : "not here";
  const details = available ? [`${provider} of ONNX Runtime ${runtimeVersion}`, ...measured(report)] : [];
  const found = cards.map((card, index) => (name === "cuda" ? `cuda:${index} ${cardLine(card)}` : cardLine(card)));
  return [
    `${name.padEnd(8)} ${works.padEnd(8)} ${reason}`,
    ...[...found, ...details].map((line) => `${INDENT}${line}`),
  ];
}

function cardLine({ name, memoryMb, freeMemoryMb, driver }: Card): string {
  const free = freeMemoryMb === undefined ? "" : ` (${freeMemoryMb} free)`;
  const memory = memoryMb === undefined ? "" : `, ${memoryMb} MB${free}`;
  return `${name}${memory}${driver === undefined ? "" : `, driver ${driver}`}`;
}

function measured({ name, gigaflops, gigaflopsFp16, int8, step }: DeviceReport): string[] {
  const onThread = name === "cpu" ? " on one thread" : "";
  const fp16 = gigaflopsFp16 === undefined ? "fp16 not computed" : `fp16 ${gigaflopsFp16.toFixed(1)}`;
  const products = `products: f32 ${gigaflops?.toFixed(1)}, ${fp16} GFLOP/s${onThread}; int8 ${int8 ? "" : "not "}computed`;
  if (step === undefined) return [products];
  const off = name === "cpu" ? "" : `, off by ${(100 * step.difference).toPrecision(2)} % from the CPU`;
  return [products, `starter-vad: ${step.ms.toFixed(2)} ms a step of ${step.rows} calls${off}`];
}
