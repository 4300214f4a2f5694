import { WebSocket } from "ws";

/**
 * A server's WebSocket that lets its owner speak before it is closed for an offence against RFC 6455. The library then
 * calls `close` itself, at once, and would leave the client with a bare code.
 */
export class CallSocket extends WebSocket {
  /** Set by the connection. Called with the code that the library is about to close with. */
  onFault: ((closeCode: number) => void) | undefined;

  /** By the library: with a reason to answer the client's close frame, without one for a fault. */
  override close(code?: number, reason?: string | Buffer): void {
    const tell = this.onFault;
    this.onFault = undefined;
    const isFault = code !== undefined && reason === undefined;
    if (isFault && tell !== undefined && this.readyState === WebSocket.OPEN) tell(code);
    super.close(code, reason);
  }

  /** By the connection. */
  end(code: number, reason: string): void {
    this.onFault = undefined;
    super.close(code, reason);
  }
}
