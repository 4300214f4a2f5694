/** `syrinx bench load` as a user runs it: processes, sockets, real time. Small, and it asserts no latency. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { encodeWav } from "../../src/audio/wav.js";
import { toneRecording } from "../support/load-stage.js";
import { cli } from "../support/system.js";

describe("bench load", { timeout: 90_000 }, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "syrinx-bench-load-"));
    writeFileSync(join(folder, "tone.wav"), encodeWav(toneRecording("tone", 300).pcm, 16_000));
  });
  after(() => rmSync(folder, { recursive: true }));

  test("starts a server, talks to it over WebSockets, and reports what came back", async () => {
    const html = join(folder, "load.html");
    const { code, stdout, stderr } = await cli([
      ...["bench", "load", "--config", "configs/echo.yaml", "--recordings", folder, "--json", "--html", html],
      ...["--calls", "3", "--arrivals", "50", "--warmup", "300ms", "--duration", "3s", "--think", "200ms"],
    ]);
    // On a busy machine the generator may be late, and then it must say so.
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const rung = lines.find(({ type }) => type === "rung");
    assert.ok(rung !== undefined, stderr);
    assert.equal(code, rung.isVoid ? 3 : 0, stderr);
    assert.deepEqual([lines[0].type, lines[0].answer], ["start", "echo"]);
    assert.equal(rung.calls, 3);
    assert.equal(rung.callCounts.polite.opened, 3);
    assert.equal(rung.outcomes.answered, lines.filter(({ type }) => type === "turn").length);
    assert.ok(rung.outcomes.answered >= 3);
    assert.equal(rung.successPercent, 100);
    assert.ok(rung.metrics.echo.n > 100 && rung.metrics.echo.p50 > 0);
    assert.ok(rung.lateness.n > 300);
    assert.equal(rung.leakedCalls, 0);
    assert.ok(rung.resources.cores > 0 && rung.resources.rssBytes > 20e6);
    assert.ok(lines.filter(({ type }) => type === "sample").length >= 3);
    assert.match(readFileSync(html, "utf8"), /<svg[\s\S]*<\/html>/);
  });

  test("a server that does not start, a face that there is not, and a search for nothing are told as such", async () => {
    const failures: readonly (readonly [args: readonly string[], code: number, says: RegExp])[] = [
      [["--config", "no-such.yaml"], 1, /did not start[\s\S]*no-such\.yaml/],
      [["--face", "telepathy"], 2, /--face[\s\S]*deepgram-listen/],
      [["--find"], 2, /--slo/],
      [["--soak", "long"], 2, /--soak/],
      [["--url", "ws://127.0.0.1:9"], 1, /does not take the load's call/],
    ];
    for (const [args, code, says] of failures) {
      const finished = await cli(["bench", "load", ...args]);
      assert.equal(finished.code, code, finished.stderr);
      assert.match(finished.stderr, says);
    }
  });
});
