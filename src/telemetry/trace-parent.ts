/** The header by which a caller says what its own trace is: W3C Trace Context, https://www.w3.org/TR/trace-context/. */

/** A span of somebody else. */
export interface RemoteSpan {
  /** 32 lower-case hexadecimal digits, not all 0. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Characters of a `traceparent`, of any version. At it: the header counts as absent. */
export const TRACEPARENT_CHARS_MAX = 128;

const VERSION_0_CHARS = 55;
const FIELDS = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** `undefined` for whatever the standard does not allow: the trace then begins here. Never throws. */
export function parseTraceparent(header: string | undefined): RemoteSpan | undefined {
  if (header === undefined || header.length > TRACEPARENT_CHARS_MAX) return undefined;
  const [, version, traceId, spanId, flags] = FIELDS.exec(header) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  // ff is reserved; versions after 00 may append fields.
  if (version === "ff" || (version === "00" && header.length !== VERSION_0_CHARS)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
