import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesOf, joined, type Program, RawClient, readSample, startCli } from "../support/system.js";

const STOP_MS = 5_000;

/** Signals, and returns how the program ended and how long that took. */
async function stop(
  serve: Program,
  signal: NodeJS.Signals,
): Promise<{ code: number | null; stderr: string; ms: number }> {
  const startMs = performance.now();
  serve.child.kill(signal);
  const { code, signal: killedBy, stderr } = await serve.finished;
  assert.equal(killedBy, null, stderr);
  return { code, stderr, ms: performance.now() - startMs };
}

describe("`syrinx serve`", { timeout: 60_000 }, () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`ends with 0 within 5 s of ${signal} while models run for open calls, and tells them why`, async () => {
      const timer = await readSample("timer.wav");
      const serve = startCli(["serve", "configs/assistant.yaml", "--port", "0", "--json"]);
      await serve.until(({ stdout }) => stdout.includes("\n"));
      const { url, type } = JSON.parse(serve.stdout) as { url: string; type: string };
      assert.equal(type, "serving");
      const clients = await Promise.all(Array.from({ length: 6 }, () => RawClient.connect(url, "graph=assistant")));
      // Twice real time for as long as it takes: no model is idle when the signal comes.
      const speech = joined(timer, timer, timer, timer, timer, timer);
      let at = 0;
      const sending = setInterval(() => {
        for (const { socket } of clients) socket.send(bytesOf(speech.subarray(at, at + 640)));
        at = (at + 640) % speech.length;
      }, 20);
      await Promise.all(clients.map((client) => client.untilType("transcript")));
      const { code, stderr, ms } = await stop(serve, signal);
      clearInterval(sending);
      assert.equal(code, 0, stderr);
      assert.ok(ms < STOP_MS, `${ms} ms`);
      assert.doesNotMatch(stderr, /abort|terminate called|core dumped|"level":"error"/i);
      for (const client of clients) {
        await client.untilClosed();
        assert.equal(client.closed?.code, 1012);
        const last = client.messages.at(-1)!;
        assert.deepEqual([last.type, last.reason], ["close", "drain"]);
      }
    });
  }

  test("ends with 0 within 5 s of SIGTERM while it loads its models", async () => {
    const serve = startCli(["serve", "configs/assistant.yaml", "--port", "0", "--json"]);
    // The first worker says that its model is loaded; the others are not done then.
    await serve.until(({ stderr }) => stderr.includes("model loaded"));
    assert.equal(serve.stdout, "");
    const { code, stderr, ms } = await stop(serve, "SIGTERM");
    assert.equal(code, 0, stderr);
    assert.ok(ms < STOP_MS, `${ms} ms`);
    assert.equal(serve.stdout, "", "it never said that it serves");
  });

  test("with a graceful client that is being answered, ends only once and cleanly", async () => {
    const serve = startCli(["serve", "configs/assistant.yaml", "--port", "0", "--json"]);
    await serve.until(({ stdout }) => stdout.includes("\n"));
    const { url } = JSON.parse(serve.stdout) as { url: string };
    const client = await RawClient.connect(url, "graph=assistant");
    client.pcm(await readSample("question.wav"));
    await client.untilType("audio.start");
    const { code, ms } = await stop(serve, "SIGTERM");
    assert.equal(code, 0);
    assert.ok(ms < STOP_MS, `${ms} ms`);
    await client.untilClosed();
    assert.equal(client.closed?.code, 1012);
  });
});
