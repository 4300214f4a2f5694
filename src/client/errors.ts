/** Why a call could not be opened or has ended. `code` is one of the server's (docs/ERRORS.md) or `CLIENT_*` of ours. */
export class SyrinxClientError extends Error {
  override readonly name = "SyrinxClientError";
  readonly code: string;
  /** What can be done about it. */
  readonly hint: string;
  /** True if the same request may succeed later without any change. */
  readonly retryable: boolean;
  /** The WebSocket's close code, if it was closed. */
  readonly closeCode: number | undefined;

  constructor(code: string, message: string, more: { hint?: string; retryable?: boolean; closeCode?: number } = {}) {
    super(message);
    this.code = code;
    this.hint = more.hint ?? "";
    this.retryable = more.retryable ?? false;
    this.closeCode = more.closeCode;
  }
}
