import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EDGE_IN, EDGE_OUT, loadConfig, type Plan, type PlanEdge } from "../../src/config/index.js";
import { fakeRegistries, load } from "./fakes.js";

const MODELS = `
models:
  vad:   { family: starter-vad, device: cpu }
  ears:  { family: starter-ctc, replicas: 2, batch: { max: 16, waitMs: 10 } }
  voice: { family: flite, voice: slt }
`;
const ASSISTANT = `version: 1${MODELS}
graphs:
  assistant:
    - vad:   { model: vad, stopMs: 300 }
    - turn:  { endMs: 600 }
    - stt:   { model: ears }
    - agent: { llm: { kind: echo } }
    - tts:   { model: voice }
`;

function nodeNames(plan: Plan, edge: PlanEdge): string {
  const name = (index: number): string =>
    index === EDGE_IN ? "in" : index === EDGE_OUT ? "out" : plan.nodes[index]!.name;
  return `${name(edge.from)}>${name(edge.to)}`;
}

function edgesOf(plan: Plan, graph: string): Record<string, string> {
  const edges = plan.edges.filter((edge) => edge.graph === graph);
  return Object.fromEntries(edges.map((edge) => [nodeNames(plan, edge), `${edge.onFull}: ${edge.kinds.join(" ")}`]));
}

describe("plan of a chain", () => {
  const { plan, warnings } = load(ASSISTANT);
  const workerOf = (name: string): string =>
    plan.nodes
      .find((node) => node.name === name)!
      .workers.map((index) => plan.workers.find((worker) => worker.index === index)!.name)
      .join();

  test("has no warnings for a sound file", () => assert.deepEqual(warnings, []));

  test("puts a node with a model on all workers of that model", () => {
    assert.equal(workerOf("vad"), "vad/0");
    assert.equal(workerOf("stt"), "ears/0,ears/1");
    assert.equal(workerOf("tts"), "voice/0");
  });

  test("puts a node without a model where its first upstream node lives", () =>
    assert.equal(workerOf("turn"), "vad/0"));

  test("puts asynchronous work on the one I/O worker", () => {
    assert.equal(workerOf("agent"), "io");
    assert.deepEqual(
      plan.workers.map(({ index, name, thread, model }) => [index, name, thread, model]),
      [
        [1, "io", "io", undefined],
        [2, "vad/0", "compute", "vad"],
        [3, "ears/0", "compute", "ears"],
        [4, "ears/1", "compute", "ears"],
        [5, "voice/0", "compute", "voice"],
      ],
    );
  });

  test("carries on an edge what the producer makes or passes on and the consumer takes, with fence and close", () => {
    assert.deepEqual(edgesOf(plan, "assistant"), {
      "in>vad": "drop-newest: audio.in fence close",
      "vad>turn": "drop-newest: audio.in vad fence close",
      "turn>stt": "drop-newest: audio.in vad turn fence close",
      "stt>agent": "block-source: turn transcript.final fence close",
      "agent>tts": "block-source: text reply fence close",
      "vad>out": "block-source: vad",
      "turn>out": "block-source: turn",
      "stt>out": "block-source: transcript.partial transcript.final fence",
      "agent>out": "block-source: text reply",
      "tts>out": "block-source: audio.out alignment reply fence close",
    });
  });

  test("sends each kind to the caller from its origin alone, but a reply also from the last node: it ends after its audio", () => {
    const kinds = plan.edges.filter((edge) => edge.to === EDGE_OUT).flatMap((edge) => edge.kinds);
    const data = kinds.filter((kind) => kind !== "fence" && kind !== "reply");
    assert.equal(new Set(data).size, data.length);
  });

  test("names the edges on which finalize and marks come back", () => {
    const [graph] = plan.graphs;
    assert.deepEqual(
      graph!.finalizeEdges.map((edge) => nodeNames(plan, plan.edges[edge]!)),
      ["stt>out"],
    );
    assert.deepEqual(
      graph!.terminalEdges.map((edge) => nodeNames(plan, plan.edges[edge]!)),
      ["tts>out"],
    );
  });

  test("sums latencies along the longest path and knows that a reply can come", () => {
    const [graph] = plan.graphs;
    assert.equal(graph!.latencyMs, 300 + 600 + 100 + 50);
    assert.equal(graph!.hasAgent, true);
    assert.deepEqual(graph!.accepts, ["audio.in"]);
  });

  test("fills in every default", () => {
    assert.deepEqual(plan.server, {
      host: "127.0.0.1",
      port: 8080,
      maxCalls: 256,
      apiKeys: undefined,
      idleTimeoutMs: 300_000,
      admission: { mode: "plan", slo: { finalP95Ms: 300, ttfaP95Ms: 250, lagP95Ms: 100 }, degrade: false },
      pull: "never",
      logLevel: "info",
      logContent: false,
    });
    assert.deepEqual(plan.routes, [
      { path: "/v1/call", face: "native", graph: "assistant", options: { anyGraph: true } },
    ]);
    assert.deepEqual(plan.nodes[0]!.options, { startMs: 60, stopMs: 300, threshold: 0.5 });
    assert.deepEqual(plan.models[0], {
      name: "vad",
      family: "starter-vad",
      task: "vad",
      options: {},
      device: "cpu",
      replicas: 1,
      standby: false,
      batchMax: 32,
      batchWaitMs: 0,
      batchDeadlineMs: 40,
      session: { threads: 1, arena: true, optimise: "all" },
    });
    assert.equal(plan.models[1]!.batchMax, 16);
    assert.deepEqual(
      plan.models.map(({ batchDeadlineMs }) => batchDeadlineMs),
      [40, 160, 400],
      "by what the model is for",
    );
  });

  test("is plain data that a thread can be given", () => assert.deepEqual(structuredClone(plan), plan));
});

describe("plan of the long form", () => {
  const LONG = `version: 1${MODELS}
graphs:
  assistant:
    nodes:
      tts:   { actor: tts, inputs: [agent], model: voice }
      agent: { actor: agent, inputs: [stt], llm: { kind: echo } }
      stt:   { actor: stt, inputs: [turn], model: ears }
      turn:  { actor: turn, inputs: [vad], endMs: 600 }
      vad:   { actor: vad, inputs: [in], model: vad, stopMs: 300 }
    output: [vad, turn, stt, agent, tts]
`;

  test("of a chain written out equals the chain's, in whatever order its nodes stand", () => {
    assert.deepEqual(load(LONG).plan, load(ASSISTANT).plan);
  });

  test("sends the caller only what `output` names, and fences of the last nodes all the same", () => {
    const { plan } = load(LONG.replace("[vad, turn, stt, agent, tts]", "[agent]"));
    const out = Object.entries(edgesOf(plan, "assistant")).filter(([name]) => name.endsWith(">out"));
    assert.deepEqual(out, [
      ["stt>out", "block-source: fence"],
      ["agent>out", "block-source: text reply"],
      ["tts>out", "block-source: reply fence close"],
    ]);
  });

  test("ends on every node after which nothing comes", () => {
    const { plan } = load(`version: 1${MODELS}
graphs:
  both:
    nodes:
      vad: { actor: vad, inputs: [in], model: vad }
      one: { actor: stt, inputs: [vad], model: ears, onFull: block-source }
      echo: { actor: echo, inputs: [in, vad] }
    output: [one, echo]
`);
    const [graph] = plan.graphs;
    const names = (edges: readonly number[]): string[] => edges.map((edge) => nodeNames(plan, plan.edges[edge]!));
    assert.deepEqual(names(graph!.terminalEdges), ["one>out", "echo>out"]);
    assert.deepEqual(names(graph!.finalizeEdges), ["one>out"]);
    assert.deepEqual(edgesOf(plan, "both")["vad>one"], "block-source: audio.in vad fence close");
    assert.deepEqual(plan.nodes.find((node) => node.name === "echo")!.workers, [1], "follows the vad node");
  });

  test("comes back on every recogniser that has no other below it", () => {
    const { plan } = load(`version: 1${MODELS}
graphs:
  two:
    nodes:
      vad: { actor: vad, inputs: [in], model: vad }
      one: { actor: stt, inputs: [vad], model: ears }
      two: { actor: stt, inputs: [vad], model: ears }
    output: [one, two]
`);
    assert.equal(plan.graphs[0]!.finalizeEdges.length, 2);
    assert.deepEqual(plan.nodes[1]!.workers, plan.nodes[2]!.workers, "two nodes of one model share its workers");
  });

  test("lets a circle close at a node with feedback, on an edge without fence and close", () => {
    const loop = { name: "loop", inputs: ["audio.in", "text"], outputs: ["text"], forwards: ["audio.in"] } as const;
    const { plan, warnings } = load(
      `version: 1
graphs:
  g:
    nodes:
      a: { actor: loop, inputs: [in, b], feedback: true }
      b: { actor: loop, inputs: [a] }
    output: [b]
`,
      { registries: fakeRegistries([loop]) },
    );
    assert.deepEqual(
      warnings.map((warning) => warning.code),
      ["feedback-cycle"],
    );
    assert.equal(edgesOf(plan, "g")["b>a"], "drop-newest: audio.in text");
    assert.equal(edgesOf(plan, "g")["a>b"], "drop-newest: audio.in text fence close");
    assert.deepEqual(plan.graphs[0]!.nodes, [0, 1]);
  });
});

describe("a kind that is made anew on its way", () => {
  const resample = {
    name: "resample",
    inputs: ["audio.out", "alignment", "reply"],
    outputs: ["audio.out", "alignment"],
    forwards: ["reply"],
  } as const;
  const registries = fakeRegistries([resample]);
  const toCaller = (text: string): string[] => {
    const { plan } = load(text, { registries });
    const edges = plan.edges.filter((edge) => edge.to === EDGE_OUT);
    return edges.map((edge) => `${nodeNames(plan, edge)} ${edge.kinds.join(" ")}`);
  };

  test("comes to the caller of a chain from its last maker alone", () => {
    assert.deepEqual(
      toCaller(`version: 1${MODELS}\ngraphs: { say: [{ tts: { model: voice } }, resample, resample] }`),
      ["resample-2>out audio.out alignment reply fence close"],
    );
  });

  test("comes from the node that `output` names if its maker anew is not named", () => {
    const text = `version: 1${MODELS}
graphs:
  say:
    nodes:
      tts: { actor: tts, inputs: [in], model: voice }
      low: { actor: resample, inputs: [tts] }
    output: [tts]
`;
    assert.deepEqual(toCaller(text), ["tts>out audio.out alignment", "low>out reply fence close"]);
  });
});

test("priority frames travel on no edge, whatever actors declare", () => {
  const loud = {
    name: "loud",
    inputs: ["audio.in", "interrupt"],
    outputs: ["audio.out", "interrupt", "error"],
    forwards: ["audio.in"],
  } as const;
  const { plan } = load("version: 1\ngraphs: { g: [loud, loud] }", { registries: fakeRegistries([loud]) });
  assert.deepEqual(edgesOf(plan, "g"), {
    "in>loud": "drop-newest: audio.in fence close",
    "loud>loud-2": "drop-newest: audio.in fence close",
    "loud>out": "block-source: audio.out",
    "loud-2>out": "block-source: audio.out fence close",
  });
});

describe("plan of small graphs", () => {
  test("of an echo needs the I/O worker alone", () => {
    const { plan } = load("version: 1\ngraphs: { echo: [echo] }");
    assert.deepEqual(
      plan.workers.map((worker) => worker.name),
      ["io"],
    );
    assert.deepEqual(edgesOf(plan, "echo"), {
      "in>echo": "drop-newest: audio.in fence close",
      "echo>out": "block-source: audio.out fence close",
    });
    assert.deepEqual(plan.graphs[0]!.finalizeEdges, plan.graphs[0]!.terminalEdges);
  });

  test("numbers nodes and edges over all graphs and repeats of an actor within one", () => {
    const { plan } = load("version: 1\ngraphs: { one: [tap, tap, { tap: { name: last } }], two: [echo] }");
    assert.deepEqual(
      plan.nodes.map((node) => [node.index, node.graph, node.name]),
      [
        [0, "one", "tap"],
        [1, "one", "tap-2"],
        [2, "one", "last"],
        [3, "two", "echo"],
      ],
    );
    assert.deepEqual(
      plan.edges.map((edge) => edge.index),
      plan.edges.map((_, position) => position),
    );
  });

  test("takes text where the first node does", () => {
    const { plan } = load(`version: 1${MODELS}\ngraphs: { say: [{ tts: { model: voice } }], t: [tap] }`);
    assert.deepEqual(plan.graphs[0]!.accepts, ["text"]);
    assert.equal(
      plan.workers.some((worker) => worker.model === "ears"),
      false,
      "an unused model gets no worker",
    );
  });

  test("is the same from an object as from text", () => {
    const object = { version: 1, graphs: { echo: ["echo"] } };
    const options = { env: {}, registries: fakeRegistries() };
    assert.deepEqual(loadConfig(object, options).plan, load(JSON.stringify(object)).plan);
  });
});
