import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { metricOf, probeServer } from "../../../src/cli/load/server-probe.js";

const METRICS = [
  "# TYPE process_cpu_seconds_total counter",
  "process_cpu_seconds_total 12.5",
  "process_cpu_seconds_total_of_something_else 99",
  "other_process_resident_memory_bytes 2.5e+8",
  'labelled{process_cpu_seconds_total="x"} 3',
].join("\n");

async function probing(pages: Readonly<Record<string, string>>, act: (url: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    const page = pages[request.url!];
    response.writeHead(page === undefined ? 404 : 200).end(page);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await act(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/v1/call`).finally(() => {
    server.closeAllConnections();
    server.close();
  });
}

describe("what a server uses", () => {
  test("is read from its metrics, whatever prefix they have", async () => {
    assert.equal(metricOf(METRICS, "process_cpu_seconds_total"), 12.5);
    assert.equal(metricOf(METRICS, "process_resident_memory_bytes"), 2.5e8);
    assert.equal(metricOf(METRICS, "cpu_seconds"), undefined);
    await probing({ "/metrics": METRICS }, async (url) => {
      assert.deepEqual(await probeServer(url, undefined).read(), { cpuMs: 12_500, rssBytes: 2.5e8, isHere: true });
    });
  });

  test("is read from the system, if its process is here", { skip: process.platform !== "linux" }, async () => {
    const { cpuMs, rssBytes } = (await probeServer("ws://127.0.0.1:9", process.pid).read())!;
    const { user, system } = process.cpuUsage();
    assert.ok(Math.abs(cpuMs - (user + system) / 1_000) < 100, `${cpuMs}`);
    assert.ok(Math.abs(rssBytes / process.memoryUsage.rss() - 1) < 0.2, `${rssBytes}`);
  });

  test("is unknown, and no failure, where nobody tells", async () => {
    assert.equal(await probeServer("ws://127.0.0.1:9", undefined).read(), undefined);
    await probing({ "/metrics": "nothing of use", "/v1/capacity": "<html>" }, async (url) => {
      const probe = probeServer(url, undefined);
      assert.deepEqual([await probe.read(), await probe.capacity()], [undefined, undefined]);
    });
  });

  test("its capacity is what it says", async () => {
    await probing({ "/v1/capacity": '{"activeCalls":3,"maxCalls":64,"draining":false}' }, async (url) => {
      assert.deepEqual(await probeServer(url, undefined).capacity(), { activeCalls: 3, maxCalls: 64 });
    });
  });
});
