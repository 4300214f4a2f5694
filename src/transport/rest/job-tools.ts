import type { Runtime } from "../../runtime/api.js";
import type { Jobs } from "../../runtime/jobs.js";
import type { TransportLimits } from "../limits.js";

/** What a request's job works with. */
export interface JobTools {
  readonly runtime: Pick<Runtime, "open">;
  readonly jobs: Pick<Jobs, "decodeUpload">;
  readonly limits: TransportLimits;
}
