import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { isSyrinxError } from "../../base/errors.js";
import type { ConfigProblem } from "../../config/index.js";
import { EXIT } from "../exit.js";
import { shippedConfig } from "../options.js";

export function addCheck(program: Command): void {
  program
    .command("check")
    .summary("check a configuration")
    .description(
      "Reports every problem of a configuration, with file, line and column. Imports its modules; loads no model.",
    )
    .argument("<config>", "configuration file")
    .option("--json", "print the problems as JSON")
    .addHelpText("after", "\nExamples:\n  syrinx check configs/assistant.yaml\n  syrinx check my-agent.yaml --json\n")
    .action(check);
}

async function check(config: string, options: { readonly json?: boolean }): Promise<void> {
  const { formatProblems } = await import("../../config/index.js");
  const problems = await problemsOf(config);
  const errorCount = problems.filter((problem) => problem.severity === "error").length;
  if (options.json === true) process.stdout.write(`${JSON.stringify({ config, ok: errorCount === 0, problems })}\n`);
  else if (problems.length > 0) process.stdout.write(`${formatProblems(problems)}\n`);
  if (options.json !== true && errorCount === 0) process.stdout.write(`${config} is valid\n`);
  if (errorCount > 0) process.exitCode = EXIT.failed;
}

/** With the configuration's own modules imported first; if they cannot be, that is the problem. */
async function problemsOf(config: string): Promise<readonly ConfigProblem[]> {
  const { checkConfig } = await import("../../config/index.js");
  const { importNamed } = await import("../../runtime/import-named.js");
  try {
    await importNamed(config);
  } catch (error) {
    if (isSyrinxError(error) && error.code === "CONFIG_INVALID") return checkConfig(config).problems;
    throw error;
  }
  return checkConfig(config).problems;
}

export function addGraph(program: Command): void {
  program
    .command("graph")
    .summary("show a configuration's graphs")
    .description("Prints nodes, workers, rings and the worst-case latency of each graph.")
    .argument("[config]", "configuration file", shippedConfig("assistant"))
    .option("--mermaid", "as a Mermaid diagram")
    .option("--dot", "as a Graphviz graph")
    .option("--json", "the whole plan as JSON, secrets left out")
    .addHelpText("after", "\nExamples:\n  syrinx graph\n  syrinx graph my-agent.yaml --dot | dot -Tsvg > graph.svg\n")
    .action(graph);
}

interface GraphOptions {
  readonly mermaid?: boolean;
  readonly dot?: boolean;
  readonly json?: boolean;
}

async function graph(config: string, options: GraphOptions): Promise<void> {
  const { describePlan, loadConfig } = await import("../../config/index.js");
  const { importNamed } = await import("../../runtime/import-named.js");
  await importNamed(config);
  const { plan } = loadConfig(config);
  if (options.json === true) {
    const { apiKeys: _secret, ...server } = plan.server;
    process.stdout.write(`${JSON.stringify({ ...plan, server })}\n`);
    return;
  }
  const format = options.mermaid === true ? "mermaid" : options.dot === true ? "dot" : "text";
  process.stdout.write(`${describePlan(plan, { format })}\n`);
}

export function addSchema(program: Command): void {
  program
    .command("schema")
    .summary("print the configuration's JSON Schema")
    .description("Prints the JSON Schema with which editors complete and check configuration files.")
    .option("-o, --output <file>", "write to a file instead")
    .addHelpText("after", "\nExamples:\n  syrinx schema -o schema.json\n")
    .action(async (options: { readonly output?: string }) => {
      const { configJsonSchema } = await import("../../config/json-schema.js");
      const text = `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`;
      if (options.output === undefined) process.stdout.write(text);
      else await writeFile(options.output, text);
    });
}
