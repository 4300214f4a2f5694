import { Command } from "commander";
import { SyrinxError } from "../../base/errors.js";
import { KEY_LIMITS, keyEntry, newKey, parseKeyLines } from "../../config/index.js";

export function addKeys(program: Command): void {
  const keys = program
    .command("keys")
    .summary("make API keys")
    .description(
      "Makes API keys, and the lines that stand for them in the file that server.apiKeys names. Keeps nothing.",
    )
    .addHelpText("after", "\nExamples:\n  syrinx keys new --name acme --calls 20\n");
  for (const command of [newCommand(), hashCommand()]) {
    keys.addCommand(command.copyInheritedSettings(keys).exitOverride().showHelpAfterError("(--help shows how)"));
  }
}

function newCommand(): Command {
  return withSettings(new Command("new"))
    .summary("make a key")
    .description("Prints a new key, this once, and the line for the key file.")
    .option("--json", "print both as one line of JSON")
    .addHelpText("after", "\nExamples:\n  syrinx keys new --name acme --calls 20\n")
    .action((options: KeyOptions) => show(newKey(), options));
}

function hashCommand(): Command {
  return withSettings(new Command("hash"))
    .summary("make the line for a key that you have")
    .description("Reads a key from stdin and prints the line for the key file.")
    .addHelpText("after", "\nExamples:\n  syrinx keys hash --name acme < key.txt >> keys.txt\n")
    .action(async (options: KeyOptions) => {
      process.stdout.write(`${entryOf(await readKey(), options)}\n`);
    });
}

function withSettings(command: Command): Command {
  return command
    .option("--name <label>", "label of the key, for logs")
    .option("--calls <number>", "calls that may be open with it at the same time")
    .option("--audio <rate>", "seconds of audio that it may send in a second, all its calls together");
}

interface KeyOptions {
  readonly name?: string;
  readonly calls?: string;
  readonly audio?: string;
  readonly json?: boolean;
}

function show(key: string, options: KeyOptions): void {
  const line = entryOf(key, options);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ key, line })}\n`);
  else process.stdout.write(`the key, which is shown this once:\n  ${key}\nthe line for the key file:\n  ${line}\n`);
}

function entryOf(key: string, { name, calls, audio }: KeyOptions): string {
  const settings = Object.entries({ name, calls, audio }).filter(([, value]) => value !== undefined);
  for (const [setting, value = ""] of settings) {
    const [fault] = parseKeyLines(keyEntry(key, [`${setting}=${value}`])).faults;
    if (fault === undefined) continue;
    throw new SyrinxError("CLI_OPTION_INVALID", { option: `--${setting}`, value, expected: fault.problem });
  }
  return keyEntry(
    key,
    settings.map(([setting, value]) => `${setting}=${value}`),
  );
}

async function readKey(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) {
    text += chunk;
    if (text.length > KEY_LIMITS.charsMax + 2) break;
  }
  const key = text.trim();
  if (key !== "" && key.length <= KEY_LIMITS.charsMax && !/\s/.test(key)) return key;
  const expected = `one key of at most ${KEY_LIMITS.charsMax} characters, without blanks`;
  throw new SyrinxError("CLI_OPTION_INVALID", { option: "stdin", value: "what it is", expected });
}
