/**
 * What the transport counts. Implemented by telemetry over its registry; {@link noMetrics} counts nothing. Called on the
 * main thread, some of it once per message: implementations only add to a number.
 */
export interface TransportMetrics {
  /** A WebSocket was accepted. */
  connectionOpened(face: string): void;
  /** `initiator` is whoever sent the first close frame; a connection that broke counts as the client's, code 1006. */
  connectionClosed(face: string, code: number, initiator: "client" | "server"): void;
  /** From the upgrade request to its answer. */
  handshake(result: "ok" | "refused", seconds: number): void;
  message(direction: "in" | "out", type: "audio" | "control", byteCount: number): void;
  /** A client that reads too slowly was closed, or one that sends too fast was paused. */
  slowClient(action: "close"): void;
  fastClient(action: "pause" | "close"): void;
  /** Before or after the upgrade; `reason` is an error code. */
  admissionRejected(reason: string): void;
  /** A message that broke a rule of its protocol; `code` is an error code. */
  protocolError(code: string): void;
  /** Audio that was never sent because the reply was interrupted. */
  audioDiscarded(byteCount: number): void;
  /** A request over plain HTTP that a face has answered, or whose client has gone (status 499). */
  request(face: string, status: number, seconds: number): void;
  /** The most that waits for any one client now. Told at each tick. */
  bufferedBytes(maximum: number): void;
}

const nothing = (): void => {};

export const noMetrics: TransportMetrics = {
  connectionOpened: nothing,
  connectionClosed: nothing,
  handshake: nothing,
  message: nothing,
  slowClient: nothing,
  fastClient: nothing,
  admissionRejected: nothing,
  protocolError: nothing,
  audioDiscarded: nothing,
  request: nothing,
  bufferedBytes: nothing,
};
