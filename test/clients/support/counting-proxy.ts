/** Passes TCP connections on and counts them: the proof that a client did not come back after its stream had ended. */
import { type AddressInfo, connect, createServer } from "node:net";

export interface CountingProxy {
  readonly url: string;
  readonly ws: string;
  readonly connections: number;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function countConnections(target: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(target);
  let connections = 0;
  const server = createServer((client) => {
    connections += 1;
    const upstream = connect(Number(port), hostname);
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const authority = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${authority}`,
    ws: `ws://${authority}`,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
