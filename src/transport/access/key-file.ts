import { readFile } from "node:fs/promises";
import { SyrinxError } from "../../base/errors.js";
import { KEY_LIMITS, parseKeyLines } from "../../config/api-keys.js";
import type { PlanKeys } from "../../config/plan.js";
import type { Logger } from "../../telemetry/logger.js";
import type { Doorkeeper } from "../auth.js";
import { ChangingFiles } from "../changing-files.js";

/**
 * Takes over what changes in the key file, so that a key can be given or revoked while the server runs: from then on, for
 * new calls. A file with a fault changes nothing: half a list must not lock clients out.
 */
export function watchKeys(
  apiKeys: PlanKeys | undefined,
  { keys }: Pick<Doorkeeper, "keys">,
  logger: Logger,
): ChangingFiles | undefined {
  const file = apiKeys?.file;
  if (file === undefined || keys === undefined) return undefined;
  const apply = async (): Promise<void> => {
    const text = await readFile(file, "utf8");
    if (text.length > KEY_LIMITS.bytes) throw new SyrinxError("KEY_FILE_INVALID", { problem: "it is too large" });
    const list = parseKeyLines(text);
    const [fault] = list.faults;
    if (fault !== undefined) {
      throw new SyrinxError("KEY_FILE_INVALID", { problem: `line ${fault.place}: ${fault.problem}` });
    }
    if (list.keys.length === 0) throw new SyrinxError("KEY_FILE_INVALID", { problem: "there is no key in it" });
    keys.replace(list.keys);
    logger.info({ keyCount: keys.size }, "API keys read");
  };
  return new ChangingFiles([file], apply, logger);
}
