/** What one error code means. `closeCode` is the WebSocket close code if the error ends a connection. */
export interface ErrorRow {
  /** Template; `{name}` is replaced by the error's detail of that name. */
  readonly message: string;
  /** What the reader can do about it: an instruction. May use the same placeholders. */
  readonly hint: string;
  /** True if the same request may succeed later without any change. */
  readonly retryable: boolean;
  readonly closeCode: number;
}

/** For the tables. */
export function row(message: string, hint: string, closeCode = 1011, retryable = false): ErrorRow {
  return { message, hint, retryable, closeCode };
}
