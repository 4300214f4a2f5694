/**
 * The part of the browser's WebSocket that the client uses, and where one comes from. Browsers and Node ≥ 22 have one of
 * their own. Node 20 has none: there, and only there, the package `ws` is loaded. This is the one place outside the
 * server's transport that may import it.
 */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: "error", listener: (event: { readonly message?: string }) => void): void;
  addEventListener(type: "close", listener: (event: { readonly code: number; readonly reason: string }) => void): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** `readyState` of an open socket. */
export const OPEN = 1;

export async function findWebSocket(): Promise<WebSocketConstructor> {
  const own = (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (own !== undefined) return own;
  const { WebSocket } = await import("ws");
  return WebSocket as unknown as WebSocketConstructor;
}
