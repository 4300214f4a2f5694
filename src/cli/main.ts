#!/usr/bin/env node
/** The command line `syrinx`. Each command is one file in `commands/`. */
import { Command, CommanderError } from "commander";
import { isSyrinxError } from "../base/errors.js";
import { packageVersion } from "../base/package-root.js";
import { addBench } from "./commands/bench-load.js";
import { addCheck, addGraph, addSchema } from "./commands/check.js";
import { addDemo } from "./commands/demo.js";
import { addDevices } from "./commands/devices.js";
import { addKeys } from "./commands/keys.js";
import { addModels } from "./commands/models.js";
import { addPlan } from "./commands/plan.js";
import { addSay } from "./commands/say.js";
import { addServe } from "./commands/serve.js";
import { addTalk } from "./commands/talk.js";
import { addTop } from "./commands/top.js";
import { addTranscribe } from "./commands/transcribe.js";
import { EXIT, reportError } from "./exit.js";

const program = new Command("syrinx")
  .description("A runtime and server for real-time voice: speech in, speech out, for many calls at once.")
  .version(packageVersion())
  .addHelpText(
    "after",
    "\nExit codes: 0 done, 1 failed (the message says why), 2 wrong usage, 3 the measurement is void, 130 stopped by Ctrl-C.\n",
  )
  .showHelpAfterError("(--help shows how)")
  .exitOverride();

for (const add of [
  addServe,
  addTalk,
  addTranscribe,
  addSay,
  addCheck,
  addGraph,
  addPlan,
  addDevices,
  addModels,
  addBench,
  addKeys,
  addTop,
  addDemo,
  addSchema,
]) {
  add(program);
}
for (const command of program.commands) command.exitOverride().showHelpAfterError("(--help shows how)");

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    const isUsage = isSyrinxError(error) && error.code === "CLI_OPTION_INVALID";
    const code = reportError(error, process.argv.includes("--json"));
    process.exitCode = isUsage ? EXIT.usage : code;
  }
}
