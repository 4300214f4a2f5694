/** Entry of a variant's process: takes its order, runs it, reports, and ends by itself. */
import { BENCHES } from "../registry.js";
import type { Sample } from "./bench.js";
import type { VariantOrder } from "./child.js";

async function run({ bench, variant, parameters }: VariantOrder): Promise<Sample> {
  const row = BENCHES.find((candidate) => candidate.name === bench);
  const chosen = (await row?.load())?.variants[variant];
  if (chosen === undefined) throw new Error(`${bench} has no variant ${variant}`);
  return chosen(parameters);
}

// Whoever ordered the measurement may be gone: nobody wants the answer then, and the processors are others'.
const giveUp = (): void => {
  process.kill(process.pid, "SIGKILL");
};
process.once("disconnect", giveUp);

function leave(): void {
  process.off("disconnect", giveUp);
  process.disconnect();
}

process.once("message", (message) => {
  run(message as VariantOrder).then(
    (sample) => process.send!(sample, leave),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = 1;
      leave();
    },
  );
});
