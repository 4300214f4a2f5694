/** Keys and certificates: where the file says they are. Nothing of what is read there is repeated in a problem. */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { KEY_LIMITS, parseKeyLines, parseKeyWords } from "./api-keys.js";
import type { PlanKeys, PlanTls } from "./plan.js";
import { quote } from "./problem.js";
import type { ServerConfig } from "./schema.js";
import { isRecord } from "./schema-nav.js";
import type { Environment, Source } from "./source.js";

/** Anything but `{file}` or `{env}` is taken for keys in the open; nothing of it is repeated. */
export function refuseLiteralKeys(source: Source, server: unknown): boolean {
  if (!isRecord(server) || server.apiKeys === undefined) return false;
  const { apiKeys } = server;
  const path = ["server", "apiKeys"];
  if (isRecord(apiKeys)) {
    const strange = Object.keys(apiKeys).filter((key) => key !== "file" && key !== "env");
    if (strange.length === 0) return false;
    if (!strange.some((key) => /^(keys?|values?|literal|secrets?)$/i.test(key))) return false;
  }
  source.problems.add("literal-secret", path, "API keys do not belong into this file", {
    expected: "`{ file: ./keys.txt }` or `{ env: SYRINX_API_KEYS }`",
  });
  return true;
}

/** Blocks on the disk. */
export function readKeys(source: Source, from: NonNullable<ServerConfig["apiKeys"]>, env: Environment): PlanKeys {
  const { problems, tree } = source;
  if (from.file === undefined) {
    const text = (from.env !== undefined && Object.hasOwn(env, from.env) ? env[from.env] : undefined) ?? "";
    return { keys: checked(source, ["server", "apiKeys", "env"], "entry", parseKeyWords(text)) };
  }
  const path = ["server", "apiKeys", "file"];
  const file = resolve(tree.baseFolder, from.file);
  let text: string;
  try {
    text = readSmallFile(file);
  } catch {
    problems.add("secret-missing", path, `the key file ${quote(from.file)} cannot be read`, {
      expected: `a text file of at most ${KEY_LIMITS.bytes} bytes, relative to ${tree.baseFolder}`,
    });
    return { keys: [] };
  }
  return { keys: checked(source, path, "line", parseKeyLines(text)), file };
}

function checked(
  { problems }: Source,
  path: readonly string[],
  unit: "line" | "entry",
  { keys, faults, weak }: ReturnType<typeof parseKeyLines>,
): PlanKeys["keys"] {
  for (const { place, problem } of faults) problems.add("key-invalid", path, `${unit} ${place}: ${problem}`);
  if (keys.length === 0 && faults.length === 0) problems.add("secret-missing", path, "there is no API key in it");
  if (weak.length > 0) {
    problems.add(
      "weak-secret",
      path,
      `${unit} ${weak[0]}: an API key has fewer than ${KEY_LIMITS.charsMin} characters`,
      {
        expected: "keys of `syrinx keys new`",
      },
    );
  }
  return keys;
}

/** File names become absolute; whether they hold a certificate and its key is seen when the server starts. */
export function readTls({ tree, problems }: Source, tls: NonNullable<ServerConfig["tls"]>): PlanTls {
  const port = tls.port === undefined ? {} : { port: tls.port };
  if (tls.cert === undefined || tls.key === undefined) return { selfSigned: true, ...port };
  const [cert, key] = (["cert", "key"] as const).map((name) => {
    const file = resolve(tree.baseFolder, tls[name]!);
    try {
      readSmallFile(file);
    } catch {
      problems.add("secret-missing", ["server", "tls", name], `the file ${quote(tls[name]!)} cannot be read`, {
        expected: `a PEM file, relative to ${tree.baseFolder}`,
      });
    }
    return file;
  });
  return { cert: cert!, key: key!, ...port };
}

function readSmallFile(file: string): string {
  const found = statSync(file);
  if (!found.isFile() || found.size > KEY_LIMITS.bytes) throw new RangeError(`${file} is no small file`);
  return readFileSync(file, "utf8");
}
