/**
 * A process of its own that tries one kind of device and prints what it found as one line of JSON. A provider that
 * crashes takes this process with it and no other, and what it writes to stderr can be read by whoever started it.
 */
import { packageRoot } from "../base/package-root.js";
import { DEVICE_KINDS, shortReason } from "./devices.js";
import { type ProbeResult, probeHere } from "./probe-measure.js";

const kind = DEVICE_KINDS.find((known) => known === process.argv[2]) ?? "cpu";
const result: ProbeResult = await probeHere(kind, packageRoot()).catch((error: unknown) => ({
  works: false,
  reason: shortReason(error),
}));
process.stdout.write(`${JSON.stringify(result)}\n`);
