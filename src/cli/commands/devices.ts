import type { Command } from "commander";
import { listDevices } from "../../gpu/devices.js";

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
  const reports = await listDevices();
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(reports)}\n`);
    return;
  }
  for (const { name, available, reason, provider, runtimeVersion, gigaflops } of reports) {
    const speed = gigaflops === undefined ? "" : `, ${gigaflops.toFixed(1)} GFLOP/s on one thread`;
    process.stdout.write(`${name.padEnd(8)} ${available ? "works   " : "not here"} ${reason}${speed}\n`);
    if (available) process.stdout.write(`${" ".repeat(18)}${provider} of ONNX Runtime ${runtimeVersion}\n`);
  }
}
