import { ERRORS, type ErrorCode, SyrinxError } from "../base/errors.js";
import type { CloseEvent } from "../frames/events.js";
import type { Ending } from "./faces/face.js";
import type { TransportLimits } from "./limits.js";

/** How a connection ends whose call has ended. `toldCode`: the fatal error that the client has already heard of. */
export function endingOfCall(event: CloseEvent, toldCode: string | undefined): Ending {
  const { reason } = event;
  if (event.code === undefined || !Object.hasOwn(ERRORS, event.code)) return { reason, closeCode: closeCodeOf(reason) };
  const code = event.code as ErrorCode;
  const ending: Ending = { reason, code, closeCode: closeCodeOf(reason, code) };
  return reason === "error" && toldCode !== code ? { ...ending, error: new SyrinxError(code) } : ending;
}

export function endingOfError(error: SyrinxError): Ending {
  const reason = REASONS[error.code] ?? "error";
  return { reason, code: error.code, error, closeCode: closeCodeOf(reason, error.code) };
}

/** Errors that are no fault of anyone: the reason says enough. */
const REASONS: Partial<Record<ErrorCode, CloseEvent["reason"]>> = { CALL_IDLE: "idle", RUNTIME_CLOSED: "drain" };

export const DRAIN_ENDING: Ending = { reason: "drain", code: "RUNTIME_CLOSED", closeCode: closeCodeOf("drain") };

function closeCodeOf(reason: CloseEvent["reason"], code: ErrorCode = "INTERNAL"): number {
  if (reason === "client") return 1000;
  if (reason === "drain") return ERRORS.RUNTIME_CLOSED.closeCode;
  if (reason === "idle") return ERRORS.CALL_IDLE.closeCode;
  return ERRORS[code].closeCode;
}

/** What the WebSocket library means by the code that it closes with (its `receiver.js`). */
export function faultOf(closeCode: number, limits: TransportLimits): SyrinxError {
  if (closeCode === 1009) return new SyrinxError("PROTOCOL_TOO_BIG", { limit: limits.messageBytes });
  if (closeCode === 1008) return new SyrinxError("PROTOCOL_FRAGMENTS", { limit: limits.messageFragments });
  if (closeCode === 1007) return new SyrinxError("PROTOCOL_UTF8");
  return new SyrinxError("PROTOCOL_FRAME", { problem: `close code ${closeCode}` });
}
