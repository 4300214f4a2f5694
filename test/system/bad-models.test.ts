import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isSyrinxError, type SyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import { loadConfig } from "../../src/config/load.js";
import { importNamed } from "../../src/runtime/import-named.js";
import { createRuntime } from "../../src/runtime/runtime.js";
import { startPlan } from "../support/runtimes.js";
import { cli, finalsOf, hear, readSample, TIMER_TEXT } from "../support/system.js";

const STARTER = join(packageRoot(), "models", "starter");

describe("a model that cannot be loaded", { timeout: 60_000 }, () => {
  let folder: string;
  const file = (name: string): string => join(folder, name);

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "syrinx-models-"));
    const vad = readFileSync(join(STARTER, "vad.onnx"));
    writeFileSync(file("truncated.onnx"), vad.subarray(0, vad.length / 2));
    writeFileSync(file("garbage.onnx"), Buffer.alloc(10_000, 0xa7));
    writeFileSync(file("empty.onnx"), "");
    writeFileSync(file("pointer.onnx"), "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    writeFileSync(file("other.onnx"), readFileSync(join(STARTER, "stt-en.onnx")));
  });

  after(() => rmSync(folder, { recursive: true }));

  /** A VAD from the folder, and a recogniser that loads well: what has started must stop again. */
  const configOf = (vad: object) => ({
    version: 1,
    models: { vad, ears: { family: "starter-ctc", device: "cpu" } },
    graphs: { transcribe: [{ vad: { model: "vad" } }, { stt: { model: "ears" } }] },
  });

  const cases: readonly (readonly [what: string, vad: object, code: string, says: RegExp])[] = [
    ["a missing file", { family: "starter-vad", file: "no.onnx" }, "CONFIG_INVALID", /no\.onnx/],
    ["a truncated file", { family: "starter-vad", file: "truncated.onnx" }, "MODEL_FILE_INVALID", /truncated\.onnx/],
    ["garbage", { family: "starter-vad", file: "garbage.onnx" }, "MODEL_FILE_INVALID", /garbage\.onnx/],
    ["an empty file", { family: "starter-vad", file: "empty.onnx" }, "MODEL_FILE_INVALID", /empty/],
    ["a pointer of Git LFS", { family: "starter-vad", file: "pointer.onnx" }, "MODEL_FILE_INVALID", /Git LFS/],
    ["a folder", { family: "starter-vad", file: "." }, "MODEL_FILE_INVALID", /not a file/],
    [
      "another model's tensors",
      { family: "starter-vad", file: "other.onnx" },
      "MODEL_TENSORS_MISMATCH",
      /expected float32\[.*\], found/,
    ],
    [
      "another family's file",
      { family: "silero", file: "other.onnx" },
      "MODEL_TENSORS_MISMATCH",
      /expected float32\[batch, 576\], found/,
    ],
  ];

  for (const [what, vad, code, says] of cases) {
    test(`${what} is ${code}, with what was found and what to do`, async () => {
      await assert.rejects(createRuntime(configOf(vad), { logLevel: "silent", baseFolder: folder }), (error) => {
        assert.ok(isSyrinxError(error), String(error));
        assertTellable(error);
        assert.equal(error.code, code);
        assert.match(error.message, says);
        return true;
      });
    });
  }

  test("a file that went away after the configuration was checked is MODEL_FILE_MISSING", async () => {
    writeFileSync(file("brief.onnx"), "");
    const config = configOf({ family: "starter-vad", file: "brief.onnx" });
    await importNamed(config);
    const { plan } = loadConfig(config, { baseFolder: folder });
    rmSync(file("brief.onnx"));
    await assert.rejects(startPlan(plan), (error) => {
      assert.ok(isSyrinxError(error), String(error));
      assertTellable(error);
      assert.equal(error.code, "MODEL_FILE_MISSING");
      return true;
    });
  });

  test("an unknown voice is TTS_VOICE_UNKNOWN with the voices there are", async () => {
    const config = {
      version: 1,
      models: { voice: { family: "flite", voice: "nobody" } },
      graphs: { say: [{ tts: { model: "voice" } }] },
    };
    await assert.rejects(createRuntime(config, { logLevel: "silent" }), (error) => {
      assert.ok(isSyrinxError(error), String(error));
      assert.match(`${error.message} ${error.hint}`, /nobody/);
      assert.match(`${error.message} ${error.hint}`, /slt/);
      return true;
    });
  });

  test("leaves the process fit to load a good one", async () => {
    const bad = configOf({ family: "starter-vad", file: "garbage.onnx" });
    await assert.rejects(createRuntime(bad, { logLevel: "silent", baseFolder: folder }));
    const runtime = await createRuntime(configOf({ family: "starter-vad" }), { logLevel: "silent" });
    const events = await hear(await runtime.open("transcribe"), await readSample("timer.wav"));
    assert.equal(finalsOf(events), TIMER_TEXT);
    await runtime.drain();
  });

  const commands: readonly (readonly [command: string, args: (config: string) => string[]])[] = [
    ["serve", (config) => ["serve", config, "--port", "0"]],
    ["transcribe", (config) => ["transcribe", "samples/timer.wav", "--config", config]],
  ];
  for (const [command, args] of commands) {
    test(`makes \`syrinx ${command}\` end with 1 and a sentence, no worker left behind, no stack trace`, async () => {
      const config = file(`${command}.yaml`);
      writeFileSync(config, JSON.stringify(configOf({ family: "starter-vad", file: "other.onnx" })));
      const { code, signal, stdout, stderr } = await cli(args(config));
      assert.equal(signal, null);
      assert.equal(code, 1, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /error: .*other\.onnx has other tensors/);
      assert.match(stderr, /MODEL_TENSORS_MISMATCH/);
      assert.doesNotMatch(stderr, /^\s+at /m);
    });
  }
});

function assertTellable({ message, hint }: SyrinxError): void {
  assert.ok(hint.length > 10);
  assert.doesNotMatch(`${message} ${hint}`, /\{\w+\}|undefined|\[object/);
}
