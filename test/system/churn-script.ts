/**
 * `npm run churn [-- COUNT] [--socket]`: ten thousand calls, and what the process keeps of them. Exits 1 if it keeps
 * too much; with `--json` whoever reads decides.
 */
import { parseArgs } from "node:util";
import { type ChurnReport, churn } from "./churn-run.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { socket: { type: "boolean", default: false }, json: { type: "boolean", default: false } },
});
const report = await churn(Number(positionals[0] ?? 10_000), values.socket);
if (values.json) console.log(JSON.stringify(report));
else print(report);
const isFlat = report.rssSlopeKib < 1024 && report.activeCalls === 0 && report.restarts === 0;
process.exitCode = isFlat || values.json ? 0 : 1;

function print(found: ChurnReport): void {
  const round = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(" ");
  console.log(`${found.callCount} calls in ${found.seconds.toFixed(1)} s`);
  console.log(`resident MiB after each part: ${round(found.rssMib)}`);
  console.log(`heap MiB after each part:     ${round(found.heapMib)}`);
  console.log(
    `slope, KiB per 1000 calls: resident ${found.rssSlopeKib.toFixed(0)}, heap ${found.heapSlopeKib.toFixed(0)}`,
  );
  console.log(`resources before: ${found.resourcesBefore.join(", ")}`);
  console.log(`resources after:  ${found.resourcesAfter.join(", ")}`);
  console.log(`calls still open: ${found.activeCalls}; restarts: ${found.restarts}`);
}
