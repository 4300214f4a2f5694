import type { Clock } from "../base/clock.js";
import type { Runtime } from "../runtime/api.js";
import type { Logger } from "../telemetry/logger.js";
import type { Admission } from "./access/admission.js";
import type { CallSocket } from "./call-socket.js";
import type { FaceCodec } from "./faces/face.js";
import type { TransportLimits } from "./limits.js";
import type { TransportMetrics } from "./metrics.js";

/** What a connection is given when its client has come in. */
export interface ConnectionSetup {
  readonly runtime: Pick<Runtime, "open">;
  readonly socket: CallSocket;
  readonly codec: FaceCodec;
  readonly face: string;
  /** Left when the socket is closed. */
  readonly admission: Admission;
  readonly idleTimeoutMs: number;
  /** Audio is sent no sooner than so long before it is played. */
  readonly audioLeadMs?: number | undefined;
  readonly limits: TransportLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: TransportMetrics;
  /** The socket is closed and the call let go. Once. */
  readonly onGone: () => void;
}
