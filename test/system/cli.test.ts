import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ERRORS } from "../../src/base/errors.js";
import { packageVersion } from "../../src/base/package-root.js";
import { parseKeyLines } from "../../src/config/index.js";
import { RATE_HZ, writePiper } from "../models/tts/piper-support.js";
import { cli, type Finished, readRecording, startCli, TIMER_TEXT } from "../support/system.js";

const COMMANDS = [
  "serve",
  "talk",
  "transcribe",
  "say",
  "check",
  "graph",
  "devices",
  "models",
  "keys",
  "demo",
  "schema",
];

function lines(text: string): Record<string, unknown>[] {
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** What a person sees of a failure: a sentence and what to do, no stack trace, nothing on standard output. */
function assertToldToAPerson({ code, stdout, stderr }: Finished, exitCode: number, says: RegExp): void {
  assert.equal(code, exitCode, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, says);
  assert.doesNotMatch(stderr, /^\s+at .*:\d+/m);
  assert.doesNotMatch(stderr, /\{\w+\}|undefined|\[object/);
}

describe("the command line", { timeout: 150_000, concurrency: 2 }, () => {
  let folder: string;
  const file = (name: string): string => join(folder, name);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "syrinx-cli-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  test("lists every command, and the exit codes", async () => {
    const { code, stdout } = await cli(["--help"]);
    assert.equal(code, 0);
    for (const command of COMMANDS) assert.match(stdout, new RegExp(`^  ${command}\\b`, "m"));
    assert.match(stdout, /Exit codes: 0 .* 1 .* 2 .* 130/);
  });

  test("`--version` is the package's", async () => {
    const { code, stdout } = await cli(["--version"]);
    assert.equal(code, 0);
    assert.equal(stdout.trim(), packageVersion());
  });

  for (const command of COMMANDS) {
    test(`\`${command} --help\` exits with 0 and has an example`, async () => {
      const { code, stdout, stderr } = await cli([command, "--help"]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`Usage: syrinx ${command}`));
      assert.match(stdout, new RegExp(`Example[\\s\\S]*\\n +syrinx ${command}`));
    });
  }

  const misuses: readonly (readonly [what: string, args: readonly string[], says: RegExp])[] = [
    ["no argument where one is needed", ["transcribe"], /missing required argument/],
    ["an unknown option", ["check", "configs/echo.yaml", "--frobnicate"], /unknown option/],
    ["an unknown command", ["transcrib", "a.wav"], /transcribe/],
    ["a port that is none", ["serve", "--port", "eighty"], /--port.*eighty/],
    ["no output file", ["say", "hello"], /--output/],
    ["a speed that is no number", ["say", "hello", "-o", "x.wav", "--speed", "fast"], /--speed/],
    ["an address that is none", ["talk", "samples/time.wav", "--url", "127.0.0.1:8080"], /--url.*ws:/],
    ["several files into one", ["transcribe", "a.wav", "b.wav", "-o", "x.txt"], /--output/],
  ];
  for (const [what, args, says] of misuses) {
    test(`${what} exits with 2 and says so`, async () => assertToldToAPerson(await cli(args), 2, says));
  }

  test("no command at all shows the help and exits with 2", async () => {
    const { code, stdout, stderr } = await cli([]);
    assert.equal(code, 2);
    assert.match(`${stdout}${stderr}`, /Usage: syrinx/);
  });

  const missing: readonly (readonly [what: string, args: readonly string[], says: RegExp])[] = [
    ["a recording", ["transcribe", "no-such.wav"], /there is no file no-such\.wav\n {2}Check the path/],
    ["a recording to talk with", ["talk", "no-such.wav"], /there is no file no-such\.wav/],
    ["a configuration to serve", ["serve", "no-such.yaml"], /no-such\.yaml/],
    ["a configuration to draw", ["graph", "no-such.yaml"], /no-such\.yaml/],
    [
      "a graph",
      ["transcribe", "samples/timer.wav", "--graph", "nope"],
      /there is no graph nope\n {2}Use one of: transcribe/,
    ],
    ["a voice", ["say", "hello", "-o", "x.wav", "--voice", "nobody"], /nobody[\s\S]*slt/],
    ["a server", ["talk", "samples/timer.wav", "--url", "ws://127.0.0.1:9"], /no connection to 127\.0\.0\.1:9\b/],
  ];
  for (const [what, args, says] of missing) {
    test(`${what} that is not there exits with 1 and says what to do`, async () => {
      assertToldToAPerson(await cli(args), 1, says);
    });
  }

  test("a file that is no recording exits with 1 and says so", async () => {
    writeFileSync(file("text.wav"), "This is not audio at all.");
    assertToldToAPerson(
      await cli(["transcribe", file("text.wav")]),
      1,
      /format of an unknown kind \(.*text\.wav\) is not supported/,
    );
  });

  test("an output folder that does not exist is not a stack trace", async () => {
    const finished = await cli(["transcribe", "samples/timer.wav", "-o", file("no/such/folder/out.txt")]);
    assert.ok(finished.code === 1 || existsSync(file("no/such/folder/out.txt")));
    assert.doesNotMatch(finished.stderr, /^\s+at .*:\d+/m);
  });

  test("with --json an error is one line of JSON with code, message and hint", async () => {
    const { code, stdout } = await cli(["transcribe", "no-such.wav", "--json"]);
    assert.equal(code, 1);
    const [error] = lines(stdout);
    assert.deepEqual([error!.type, error!.code], ["error", "AUDIO_FILE_MISSING"]);
    assert.equal(error!.hint, ERRORS.AUDIO_FILE_MISSING.hint);
  });

  test("`transcribe` prints the text, of several files with their names", async () => {
    const one = await cli(["transcribe", "samples/timer.wav"]);
    assert.deepEqual([one.code, one.stdout, one.stderr], [0, `${TIMER_TEXT}\n`, ""]);
    const two = await cli(["transcribe", "samples/timer.wav", "samples/time.wav"]);
    assert.equal(two.stdout, `samples/timer.wav:\n${TIMER_TEXT}\nsamples/time.wav:\nwhat time is it\n`);
  });

  test("`transcribe` reads FLAC and MP3 as well as WAV", async () => {
    const { code, stdout } = await cli(["transcribe", "--json", "test/fixtures/hello.flac", "test/fixtures/hello.mp3"]);
    assert.equal(code, 0);
    assert.equal(lines(stdout).length, 2);
  });

  test("`transcribe --json` is one line per file, with words and their times", async () => {
    const { code, stdout } = await cli(["transcribe", "samples/timer.wav", "samples/lights.wav", "--json"]);
    assert.equal(code, 0);
    const [timer, lights] = lines(stdout);
    assert.equal(timer!.text, TIMER_TEXT);
    assert.equal(lights!.text, "turn on the kitchen lights");
    const words = timer!.words as { text: string; startMs: number; endMs: number; confidence: number }[];
    assert.equal(words.map(({ text }) => text).join(" "), TIMER_TEXT);
    let atMs = 0;
    for (const { startMs, endMs, confidence } of words) {
      assert.ok(startMs >= atMs && endMs > startMs && endMs <= (timer!.durationMs as number));
      assert.ok(confidence > 0 && confidence <= 1);
      atMs = endMs;
    }
  });

  test("`transcribe --srt` and `--vtt` are well-formed and in order", async () => {
    const srt = (await cli(["transcribe", "samples/timer.wav", "--srt"])).stdout;
    assert.match(srt, /^1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\nset a timer for ten minutes\n/);
    const { code } = await cli(["transcribe", "samples/timer.wav", "--vtt", "-o", file("timer.vtt")]);
    assert.equal(code, 0);
    const vtt = readFileSync(file("timer.vtt"), "utf8");
    assert.match(vtt, /^WEBVTT\n\n(1\n)?00:00:00\.\d{3} --> 00:00:0\d\.\d{3}\nset a timer for ten minutes\n/);
  });

  test("`say` writes a recording that `transcribe` reads back", async () => {
    const said = await cli(["say", "Turn on the kitchen lights.", "-o", file("said.wav"), "--json"]);
    assert.equal(said.code, 0, said.stderr);
    const [report] = lines(said.stdout);
    const pcm = await readRecording(file("said.wav"));
    assert.ok(Math.abs((report!.seconds as number) - pcm.length / 16_000) < 0.01);
    const { stdout } = await cli(["transcribe", file("said.wav")]);
    assert.match(stdout, /kitchen lights/);
  });

  test("`say` speaks with a voice of a configuration, at its own rate", async () => {
    writePiper(folder, "tones", { batch: 1 });
    writeFileSync(
      file("voices.yaml"),
      "version: 1\nmodels:\n  tones: { family: piper, file: tones.onnx }\ngraphs:\n  speak:\n    - tts: { model: tones }\n",
    );
    const said = await cli([
      "say",
      "Go on.",
      "-c",
      file("voices.yaml"),
      "--speed",
      "2",
      "-o",
      file("tones.wav"),
      "--json",
    ]);
    assert.equal(said.code, 0, said.stderr);
    assert.equal(lines(said.stdout)[0]!.rateHz, RATE_HZ);
    const refused = await cli(["say", "Go on.", "-c", "configs/echo.yaml", "-o", file("none.wav")]);
    assertToldToAPerson(refused, 1, /does not take text/);
  });

  test("`check` says `valid`, or every problem with file, line and column, and exits with 1", async () => {
    const good = await cli(["check", "configs/assistant.yaml"]);
    assert.deepEqual([good.code, good.stderr], [0, ""]);
    assert.match(good.stdout, /configs\/assistant\.yaml is valid/);
    const broken = file("broken.yaml");
    writeFileSync(
      broken,
      "version: 1\nmodels:\n  vad: { family: starter-vda }\ngraphs:\n  listen:\n    - vad: { model: vad, stopMS: 250 }\n",
    );
    const { code, stdout, stderr } = await cli(["check", broken]);
    assert.equal(code, 1);
    assert.equal(stderr, "");
    assert.match(stdout, /broken\.yaml:3:\d+[\s\S]*starter-vad/);
    assert.match(stdout, /broken\.yaml:6:\d+[\s\S]*stopMs/);
    const json = await cli(["check", broken, "--json"]);
    assert.equal(json.code, 1);
    const [report] = lines(json.stdout);
    assert.equal(report!.ok, false);
    assert.ok((report!.problems as unknown[]).length >= 2);
    writeFileSync(file("syntax.yaml"), "graphs: [echo\nversion: {\n");
    const syntax = await cli(["check", file("syntax.yaml")]);
    assert.equal(syntax.code, 1);
    assert.match(syntax.stdout, /syntax\.yaml:\d+:\d+/);
  });

  test("`serve` of a broken configuration lists the problems as `check` does", async () => {
    writeFileSync(file("served.yaml"), "version: 1\ngraphs:\n  echo:\n    - ecko\n");
    const { code, stderr } = await cli(["serve", file("served.yaml")]);
    assert.equal(code, 1);
    assert.match(stderr, /served\.yaml:4:\d+[\s\S]*echo/);
    assert.doesNotMatch(stderr, /^\s+at .*:\d+/m);
  });

  test("`graph` prints text, Mermaid, DOT and JSON without secrets", async () => {
    const text = await cli(["graph", "configs/assistant.yaml"]);
    assert.equal(text.code, 0);
    for (const node of ["vad", "turn", "stt", "agent", "tts"]) assert.match(text.stdout, new RegExp(`\\b${node}\\b`));
    assert.match((await cli(["graph", "--mermaid"])).stdout, /^(flowchart|graph) /m);
    const dot = (await cli(["graph", "--dot"])).stdout;
    assert.match(dot, /^digraph [\s\S]*\}\s*$/);
    writeFileSync(
      file("keys.yaml"),
      "version: 1\nserver: { apiKeys: { env: CLI_TEST_KEYS } }\ngraphs: { echo: [echo] }\n",
    );
    const json = await cli(["graph", file("keys.yaml"), "--json"], { env: { CLI_TEST_KEYS: "very-secret-key-1" } });
    assert.equal(json.code, 0, json.stderr);
    assert.equal(lines(json.stdout)[0]!.version, 1);
    assert.doesNotMatch(json.stdout, /very-secret/);
  });

  test("`keys new` prints a key and its line for the key file, and keeps to what a line may say", async () => {
    const { code, stdout, stderr } = await cli(["keys", "new", "--name", "acme", "--calls", "2", "--json"]);
    assert.equal(code, 0, stderr);
    const { key, line } = lines(stdout)[0] as { key: string; line: string };
    const list = parseKeyLines(line);
    assert.deepEqual(list.faults, []);
    assert.deepEqual(list.keys, [{ digest: parseKeyLines(key).keys[0]!.digest, name: "acme", maxCalls: 2 }]);
    assert.doesNotMatch(line, new RegExp(key));
    assertToldToAPerson(await cli(["keys", "new", "--audio", "much"]), 2, /--audio cannot be much/);
  });

  test("`devices` names the CPU as working", async () => {
    const { code, stdout } = await cli(["devices", "--json"]);
    assert.equal(code, 0);
    const reports = JSON.parse(stdout) as { name: string; available: boolean }[];
    assert.ok(reports.some(({ name, available }) => name === "cpu" && available));
  });

  test("`schema` is a JSON Schema", async () => {
    const { code, stdout } = await cli(["schema"]);
    assert.equal(code, 0);
    assert.match(String((JSON.parse(stdout) as { $schema: string }).$schema), /json-schema/);
  });

  test("`talk` holds a turn in this process: every event and the receipt as JSON lines, the answer as a file", async () => {
    const { code, stdout, stderr } = await cli(["talk", "samples/time.wav", "--json", "-o", file("answer.wav")]);
    assert.equal(code, 0, stderr);
    assertTurn(stdout);
    assert.ok((await readRecording(file("answer.wav"))).length > 8_000);
  });

  test("`talk` shows a person what is heard, said and where the time went", async () => {
    const { code, stdout, stderr } = await cli(["talk", "samples/time.wav"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /heard: what time is it/);
    assert.match(stdout, /says: +You said: what time is it\./);
    assert.match(stdout, /endpointing[\s\S]*tts[\s\S]*egress/);
  });

  test("`talk` to a graph that only listens ends when the last word was heard", async () => {
    const { code, stdout, stderr } = await cli(["talk", "samples/time.wav", "-c", "configs/transcribe.yaml"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /heard: what time is it/);
  });

  test("`talk --url` holds the same turn with a server", async () => {
    const serve = startCli(["serve", "--port", "0", "--json"]);
    await serve.until(({ stdout }) => stdout.includes("\n"));
    const { url } = JSON.parse(serve.stdout) as { url: string };
    const { code, stdout, stderr } = await cli([
      "talk",
      "samples/time.wav",
      "--url",
      url.replace(/^http/, "ws"),
      "--json",
    ]);
    serve.child.kill("SIGTERM");
    assert.equal(code, 0, stderr);
    assertTurn(stdout);
    assert.equal((await serve.finished).code, 0);
  });

  function assertTurn(stdout: string): void {
    const events = lines(stdout);
    const types = new Set(events.map(({ type }) => type));
    for (const type of ["vad", "turn", "transcript", "reply", "text", "audio", "receipt"])
      assert.ok(types.has(type), type);
    const final = events.find(({ type, final: isFinal }) => type === "transcript" && isFinal === true);
    assert.equal(final!.text, "what time is it");
    assert.ok(events.every((event) => !("pcm" in event)));
  }
});
