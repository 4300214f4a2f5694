/** Pipecat's own services for Deepgram and OpenAI, in real pipelines. Wants Python and a package index: skipped aloud without. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { expectedText, samplePath } from "./support/audio.js";
import { ROOT, startServer } from "./support/server.js";

interface Report {
  readonly service: string;
  readonly finals: readonly string[];
  readonly audioSamples: number;
  readonly peak: number;
  readonly stopped: number;
  readonly errors: readonly string[];
}

const HERE = join(ROOT, "test/clients/pipecat");
/** Kept between runs: installing takes half a minute. `SYRINX_PIPECAT_VENV` names one that is there already. */
const VENV = process.env.SYRINX_PIPECAT_VENV ?? join(tmpdir(), "syrinx-pipecat-1.14.0");
const INSTALL_MS = 240_000;

/** Python with Pipecat, or why there is none. */
async function pythonWithPipecat(): Promise<{ python: string } | { missing: string }> {
  const python = join(VENV, "bin/python");
  try {
    if (!existsSync(python)) execFileSync("python3", ["-m", "venv", VENV], { stdio: "ignore" });
    await promisify(execFile)(python, ["-c", "import pipecat, deepgram, openai"]).catch(async () => {
      const install = ["-m", "pip", "install", "--quiet", "--retries", "1", "-r", join(HERE, "requirements.txt")];
      await promisify(execFile)(python, install, { timeout: INSTALL_MS });
    });
    return { python };
  } catch (error) {
    return { missing: String((error as Error).message).split("\n")[0]! };
  }
}

const plain = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[.,?!]/g, "")
    .trim();

test("Pipecat's services hear and speak through the server", { timeout: 400_000 }, async (t) => {
  const found = await pythonWithPipecat();
  if ("missing" in found) return t.skip(`no Python with Pipecat: ${found.missing}`);
  await using server = await startServer();
  const run = promisify(execFile)(found.python, [join(HERE, "drive.py"), server.url, samplePath("question")], {
    timeout: 120_000,
  });
  const { stdout, stderr } = await run;
  const reports = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Report);
  const names = [
    "DeepgramSTTService",
    "DeepgramFluxSTTService",
    "OpenAISTTService",
    "DeepgramTTSService",
    "OpenAITTSService",
  ];
  assert.deepEqual(
    reports.map(({ service }) => service),
    names,
    stderr,
  );
  for (const { service, finals, audioSamples, peak, stopped, errors } of reports) {
    assert.deepEqual(errors, [], service);
    if (service.includes("STT")) {
      assert.equal(plain(finals.join(" ")), expectedText("question"), service);
    } else {
      assert.ok(
        audioSamples > 24_000 && audioSamples < 24_000 * 10 && peak > 1_000,
        `${service}: ${audioSamples} samples, peak ${peak}`,
      );
      assert.equal(stopped, 1, service);
    }
  }
});
