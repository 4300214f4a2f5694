import type { Clock } from "../../base/clock.js";
import type { Runtime } from "../../runtime/api.js";
import type { Jobs } from "../../runtime/jobs.js";
import type { Lease } from "../access/keys.js";
import type { TransportLimits } from "../limits.js";
import type { BodyRoom } from "./upload-room.js";

/** What a request's job works with. */
export interface JobTools {
  readonly runtime: Pick<Runtime, "open">;
  readonly jobs: Pick<Jobs, "decodeUpload">;
  readonly limits: TransportLimits;
  readonly clock: Clock;
  /** Has the request's body, and takes what it is decoded to. */
  readonly room: BodyRoom;
  /** Of the client's key; it has the job's first call. */
  readonly lease: Lease;
}
