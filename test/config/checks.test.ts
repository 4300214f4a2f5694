import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatProblems } from "../../src/config/index.js";
import { brief, fakeRegistries, problemsOf } from "./fakes.js";

const MODELS = `models:
  vad: { family: starter-vad }
  ears: { family: starter-ctc }
  voice: { family: flite }
`;
const USED = "  used: [{ vad: { model: vad } }, { stt: { model: ears } }]\n  say: [{ tts: { model: voice } }]\n";

/** The third line on is the graph's; every model is used elsewhere. */
function graph(text: string): string {
  return `version: 1\ngraphs:\n${text}\n${USED}${MODELS}`;
}

interface Case {
  readonly claim: string;
  readonly text: string;
  readonly brief: readonly string[];
  /** Of the first problem. */
  readonly says?: RegExp;
  readonly nearest?: string;
}

function check(cases: readonly Case[]): void {
  for (const { claim, text, brief: expected, says, nearest } of cases) {
    test(claim, () => {
      const problems = problemsOf(text);
      assert.deepEqual(brief(problems), expected, formatProblems(problems));
      if (says !== undefined) assert.match(formatProblems(problems.slice(0, 1)), says);
      if (nearest !== undefined) assert.equal(problems[0]!.nearest, nearest);
    });
  }
}

describe("names", () => {
  check([
    {
      claim: "an unknown actor is reported with the nearest one",
      text: graph("  g: [ecko]"),
      brief: ["3:7 unknown-actor graphs.g[0]"],
      nearest: "echo",
    },
    {
      claim: "an unknown actor that resembles none is reported with all of them",
      text: graph("  g: [{ ../../evil.js: {} }]"),
      brief: ['3:9 unknown-actor graphs.g[0]["../../evil.js"]'],
      says: /expected one of echo, vad, turn/,
    },
    {
      claim: "an unknown family is reported with the nearest one",
      text: "version: 1\ngraphs: { g: [echo] }\nmodels: { m: { family: flight } }",
      brief: ["3:11 unused-model models.m", "3:24 unknown-family models.m.family"],
    },
    {
      claim: "an unknown model is reported with the nearest one of the right task",
      text: graph("  g: [{ vad: { model: vat } }]"),
      brief: ["3:23 unknown-model graphs.g[0].vad.model"],
      nearest: "vad",
    },
    {
      claim: "a route to an unknown graph, or with an unknown face, is reported at the word",
      text: `${graph("  g: [echo]")}routes:\n  /v1/a: { face: nativ, graph: h }\n  /v1/b: { face: openai-realtime, graph: g }\n`,
      brief: [
        '11:18 unknown-face routes["/v1/a"].face',
        '11:32 unknown-graph routes["/v1/a"].graph',
        '12:18 unknown-face routes["/v1/b"].face',
      ],
      nearest: "native",
    },
    {
      claim: "an unknown input and an unknown output are reported at the word",
      text: graph("  g:\n    nodes:\n      vad: { actor: vad, inputs: [inn], model: vad }\n    output: [vaad]"),
      brief: ["5:35 unknown-node graphs.g.nodes.vad.inputs[0]", "6:14 unknown-node graphs.g.output[0]"],
      nearest: "in",
    },
    {
      claim: "names that are no lower-case words are refused: graphs, models, nodes, routes",
      text: `version: 1
graphs: { G: [{ echo: { name: In_1 } }], g: { nodes: { in: { actor: echo, inputs: [in] } }, output: [in] } }
models: { 1m: { family: flite } }
routes: { v1: { graph: G } }
`,
      brief: [
        "2:11 invalid-name graphs.G",
        "2:31 invalid-name graphs.G[0].echo.name",
        "2:56 invalid-name graphs.g.nodes.in",
        '3:11 invalid-name models["1m"]',
        '3:11 unused-model models["1m"]',
        "4:11 invalid-name routes.v1",
      ],
    },
    {
      claim: "two nodes of the same name are refused",
      text: graph("  g: [{ tap: { name: x } }, { echo: { name: x } }]"),
      brief: ["3:45 duplicate-name graphs.g[1].echo.name"],
    },
    {
      claim: "paths that the server answers itself cannot be routes",
      text: "version: 1\ngraphs: { g: [echo] }\nroutes: { /metrics: { graph: g } }",
      brief: ['3:11 reserved-route routes["/metrics"]'],
    },
  ]);
});

describe("keys and values", () => {
  check([
    {
      claim: "an unknown key is reported with the nearest valid one, at every level",
      text: `version: 1
sever: {}
server: { prot: 1, log: { levle: info } }
graphs: { g: [{ vad: { modle: vad } }] }
models: { vad: { family: starter-vad, batch: { maxx: 1 } } }
`,
      brief: [
        "2:1 unknown-key sever",
        "3:11 unknown-key server.prot",
        "3:27 unknown-key server.log.levle",
        "4:17 missing-model graphs.g[0].vad",
        "4:24 unknown-key graphs.g[0].vad.modle",
        "5:48 unknown-key models.vad.batch.maxx",
      ],
      nearest: "server",
    },
    {
      claim: "a key without its unit or in another one is recognised",
      text: graph("  g: [{ vad: { model: vad, stop: 250 } }, { turn: { end_seconds: 0.6 } }]"),
      brief: ["3:28 wrong-unit graphs.g[0].vad.stop", "3:53 wrong-unit graphs.g[1].turn.end_seconds"],
      nearest: "stopMs",
    },
    {
      claim: "seconds are converted in the advice",
      text: graph("  g: [{ vad: { model: vad, stopSeconds: 0.25 } }]"),
      brief: ["3:28 wrong-unit graphs.g[0].vad.stopSeconds"],
      nearest: "stopMs: 250",
    },
    {
      claim: "a number of milliseconds that looks like seconds is a warning if it is allowed",
      text: graph("  g: [{ vad: { model: vad } }, { turn: { endMs: 0.6 } }]"),
      brief: ["3:49 looks-like-seconds graphs.g[1].turn.endMs"],
      nearest: "endMs: 600",
    },
    {
      claim: "a number of milliseconds that looks like seconds gets the same advice if it is an error",
      text: graph("  g: [{ vad: { model: vad, stopMs: 0.25 } }]"),
      brief: ["3:36 invalid-value graphs.g[0].vad.stopMs"],
      nearest: "stopMs: 250",
    },
    {
      claim: "values out of range are reported with the range",
      text: `version: 1
server: { port: 70000, maxCalls: 5000, idleTimeoutMs: 10 }
graphs: { g: [{ vad: { model: vad } }] }
models: { vad: { family: starter-vad, device: gpu, replicas: 17, batch: { max: 0, waitMs: -1 } } }
`,
      brief: [
        "2:17 invalid-value server.port",
        "2:34 invalid-value server.maxCalls",
        "2:55 invalid-value server.idleTimeoutMs",
        "4:47 invalid-value models.vad.device",
        "4:62 invalid-value models.vad.replicas",
        "4:80 invalid-value models.vad.batch.max",
        "4:91 invalid-value models.vad.batch.waitMs",
      ],
      says: /expected an integer from 0 to 65535/,
    },
    {
      claim: "a constant of a union is reported with the choices, its missing keys at the mapping",
      text: graph(
        "  g: [{ agent: { llm: { kind: opena } } }, { agent: { llm: { kind: openai, baseUrl: http://x } } }]",
      ),
      brief: [
        "3:9 empty-edge graphs.g[0].agent",
        "3:31 invalid-value graphs.g[0].agent.llm.kind",
        "3:46 empty-edge graphs.g[1].agent",
        "3:55 missing-key graphs.g[1].agent.llm.model",
      ],
    },
    {
      claim: "a wrong version, a missing version and missing graphs are told",
      text: "version: 2\nmodels: {}\n",
      brief: ["1:1 missing-key graphs", "1:10 invalid-value version"],
    },
    { claim: "an empty file is told", text: "", brief: ["1:1 invalid-value "] },
    { claim: "a list at the top is told", text: "- version: 1", brief: ["1:1 invalid-value "] },
    {
      claim: "graphs that are neither lists nor mappings, empty chains and odd items are told",
      text: "version: 1\ngraphs: { a: 1, b: [], c: [{ echo: {}, tap: {} }, 7, { echo: 3 }], d: { nodes: {}, output: [] } }\n",
      brief: [
        "2:14 invalid-value graphs.a",
        "2:20 invalid-value graphs.b",
        "2:28 invalid-value graphs.c[0]",
        "2:51 invalid-value graphs.c[1]",
        "2:54 invalid-value graphs.c[2]",
        "2:80 invalid-value graphs.d.nodes",
        "2:92 invalid-value graphs.d.output",
      ],
    },
  ]);
});

describe("models and nodes", () => {
  check([
    {
      claim: "an actor that runs a model must be given one, and is told which fits",
      text: graph("  g: [vad]"),
      brief: ["3:7 missing-model graphs.g[0]"],
      says: /add `model: vad`/,
    },
    {
      claim: "a model of another task is refused",
      text: graph("  g: [{ vad: { model: vad } }, { stt: { model: voice } }]"),
      brief: ["3:48 wrong-task graphs.g[1].stt.model"],
      nearest: "ears",
    },
    {
      claim: "a model on an actor that runs none is refused",
      text: graph("  g: [{ echo: { model: vad } }]"),
      brief: ["3:17 needless-model graphs.g[0].echo.model"],
    },
    {
      claim: "a model that no graph uses is a warning",
      text: "version: 1\ngraphs: { g: [echo] }\nmodels: { m: { family: flite } }",
      brief: ["3:11 unused-model models.m"],
    },
    {
      claim: "a model file that does not exist is an error; one that does is not",
      text: `version: 1
graphs: { g: [{ vad: { model: v } }], h: [{ vad: { model: w } }] }
models: { v: { family: starter-vad, file: no-such.onnx }, w: { family: starter-vad, file: ${process.execPath} } }
`,
      brief: ["3:43 model-file-missing models.v.file"],
    },
    {
      claim: "a module that does not exist is an error",
      text: "version: 1\nmodules: [./no-such.js]\ngraphs: { g: [echo] }\n",
      brief: ["2:11 module-missing modules[0]"],
    },
  ]);

  test("a session's settings of the CPU are refused where the device is named and another", () => {
    const model = (device: string, session: string) =>
      `version: 1\nmodels: { v: { family: starter-vad, device: ${device}, session: ${session} } }\ngraphs: { g: [{ vad: { model: v } }] }`;
    for (const [key, session] of [
      ["threads", "{ threads: 4 }"],
      ["arena", "{ arena: false }"],
    ]) {
      const problems = problemsOf(model("webgpu", session!), { coreCount: 8 });
      assert.match(brief(problems)[0]!, new RegExp(`invalid-value models\\.v\\.session\\.${key}$`));
      assert.match(formatProblems(problems), /does nothing on webgpu/);
      for (const device of ["cpu", "auto"]) assert.deepEqual(problemsOf(model(device, session!), { coreCount: 8 }), []);
    }
    assert.deepEqual(problemsOf(model("webgpu", "{ optimise: basic, threads: 1 }")), []);
  });

  test("replicas beyond the cores are a warning with both numbers", () => {
    const text =
      "version: 1\nmodels: { v: { family: starter-vad, replicas: 4 } }\ngraphs: { g: [{ vad: { model: v } }] }";
    const problems = problemsOf(text, { coreCount: 3 });
    assert.deepEqual(brief(problems), ["2:47 threads-beyond-cores models.v.replicas"]);
    assert.match(problems[0]!.message, /4 model threads on 3 cores/);
    assert.deepEqual(problemsOf(text, { coreCount: 4 }), []);
    const threads = text.replace("replicas: 4", "replicas: 2, session: { threads: 2 }");
    assert.match(problemsOf(threads, { coreCount: 3 })[0]!.message, /4 model threads on 3 cores/);
  });

  test("single replicas are a warning from twice the cores on", () => {
    const one = problemsOf(graph("  g: [echo]"), { coreCount: 1 });
    assert.deepEqual(brief(one), ["6:1 threads-beyond-cores models"]);
    assert.deepEqual(problemsOf(graph("  g: [echo]"), { coreCount: 2 }), []);
  });
});

describe("wiring", () => {
  check([
    {
      claim: "an edge on which nothing can travel is refused with what one makes and the other takes",
      text: graph("  g: [{ vad: { model: vad } }, { tts: { model: voice } }]"),
      brief: ["3:34 empty-edge graphs.g[1].tts"],
      says: /nothing that `vad` makes \(vad, audio.in\) is taken by `tts` \(text, reply\)/,
    },
    {
      claim: "a kind that an actor cannot do without must reach it; actors that make it are named",
      text: graph("  g: [tap, { turn: {} }]"),
      brief: ["3:14 missing-kind graphs.g[1].turn"],
      says: /needs frames of kind `vad`.*`vad` makes it/,
    },
    {
      claim: "a kind that stops at a node that does not pass it on is missed below",
      text: graph("  g: [{ vad: { model: vad } }, gate, { stt: { model: ears } }]"),
      brief: ["3:40 missing-kind graphs.g[2].stt"],
    },
    {
      claim: "an unknown actor hides no fault of others and makes none up below itself",
      text: graph("  g: [{ vda: { model: vad } }, { turn: { endMss: 1 } }, { stt: { model: ears } }]"),
      brief: ["3:9 unknown-actor graphs.g[0].vda", "3:42 unknown-key graphs.g[1].turn.endMss"],
    },
    {
      claim: "a circle without feedback is refused with its nodes in order",
      text: graph(
        "  g:\n    nodes:\n      a: { actor: tap, inputs: [in, c] }\n      b: { actor: tap, inputs: [a] }\n      c: { actor: tap, inputs: [b] }\n    output: [c]",
      ),
      brief: ["3:3 silent-graph graphs.g", "5:7 cycle graphs.g.nodes.a", "8:14 silent-output graphs.g.output[0]"],
    },
    {
      claim: "a node that feeds itself is a circle",
      text: graph("  g: { nodes: { a: { actor: echo, inputs: [in, a] } }, output: [a] }"),
      brief: ["3:17 cycle graphs.g.nodes.a", "3:48 empty-edge graphs.g.nodes.a.inputs[1]"],
    },
    {
      claim: "nodes that no path leads to are refused",
      text: graph(
        "  g:\n    nodes:\n      a: { actor: echo, inputs: [in] }\n      b: { actor: tap, inputs: [c], feedback: true }\n      c: { actor: tap, inputs: [b] }\n    output: [a]",
      ),
      brief: [
        "6:7 unreachable-node graphs.g.nodes.b",
        "6:33 feedback-cycle graphs.g.nodes.b.inputs[0]",
        "7:7 unreachable-node graphs.g.nodes.c",
      ],
    },
    {
      claim: "an output that originates nothing is refused",
      text: graph(
        "  g:\n    nodes:\n      t: { actor: tap, inputs: [in] }\n      e: { actor: echo, inputs: [t] }\n    output: [t, e]",
      ),
      brief: ["7:14 silent-output graphs.g.output[0]"],
    },
    {
      claim: "a caller cannot be made to wait by `onFull`",
      text: graph("  g: [{ echo: { onFull: block-source } }]"),
      brief: ["3:25 invalid-value graphs.g[0].echo.onFull"],
    },
    {
      claim: "a chain from which nothing comes back is a warning",
      text: graph("  g: [tap]"),
      brief: ["3:3 silent-graph graphs.g"],
    },
  ]);

  test("an actor whose own code throws while it is asked is a problem, not a crash", () => {
    const broken = {
      name: "broken",
      inputs: ["audio.in"],
      outputs: ["audio.out"],
      forwards: [],
      latencyMs: () => {
        throw new Error("no idea");
      },
    } as const;
    const problems = problemsOf("version: 1\ngraphs: { g: [broken] }", { registries: fakeRegistries([broken]) });
    assert.deepEqual(
      problems.map((problem) => problem.code),
      ["definition-failed"],
    );
  });
});

describe("the report", () => {
  const TEXT = `version: 1
graphs:
  assistant:
    - vad: { model: vda, stopSeconds: 0.25 }
    - sst: { model: ears }
models:
  vad: { family: starter-vad, replicas: zero }
`;

  test("names all problems of a file at once, in its order", () => {
    assert.deepEqual(brief(problemsOf(TEXT)), [
      "4:21 unknown-model graphs.assistant[0].vad.model",
      "4:26 wrong-unit graphs.assistant[0].vad.stopSeconds",
      "5:7 unknown-actor graphs.assistant[1].sst",
      "7:41 invalid-value models.vad.replicas",
    ]);
  });

  test("shows place, advice, the line and a caret under the word", () => {
    const [first] = problemsOf(TEXT);
    assert.equal(
      formatProblems([first!]),
      [
        "test.yaml:4:21: error: there is no model `vda`; did you mean `vad`?",
        "  4 |     - vad: { model: vda, stopSeconds: 0.25 }",
        "    |                     ^^^",
        "  unknown-model at graphs.assistant[0].vad.model",
      ].join("\n"),
    );
  });

  test("cuts long lines around the caret and keeps tabs aligned", () => {
    const [problem] = problemsOf(`version: 1\ngraphs: { g: [echo], ${" ".repeat(300)} h: [ecko] }`);
    const lines = problem!.frame!.split("\n");
    assert.ok(lines.every((line) => line.length < 120));
    assert.equal(lines[1]!.indexOf("^"), lines[0]!.indexOf("ecko"));
  });

  test("does not repeat control characters to a terminal", () => {
    const text = formatProblems(problemsOf('version: 1\ngraphs: { g: ["\\e[2Jx\\nforged: line"] }'));
    assert.equal(text.includes("\u001b"), false);
    assert.equal(text.includes("\nforged"), false);
  });
});
