import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ConfigError, checkConfig, formatProblems, loadConfig, type Plan } from "../../src/config/index.js";
import { fakeRegistries, problemsOf } from "./fakes.js";

const registries = fakeRegistries();
const options = { env: { A: "1" }, registries, coreCount: 8 };
const SEED = 20_607;

/** Keys and words of the format, so that random data gets past the first check. */
const word = fc.constantFrom(
  ..."version server modules models graphs routes port host log level nodes output inputs in actor model name onFull".split(
    " ",
  ),
  ..."feedback vad stt tts turn agent echo tap llm kind openai family starter-vad flite replicas batch max stopMs".split(
    " ",
  ),
  ..."face graph native apiKeys file env __proto__ constructor toString << /v1/call - 1a".split(" "),
);
const scalar = fc.oneof(
  word,
  fc.constantFrom("$" + "{A}", "$" + "{B}", "$" + "{", "*a", "&a", "0.6"),
  fc.double(),
  fc.integer({ min: -2, max: 70_000 }),
  fc.boolean(),
  fc.constant(null),
  fc.string({ maxLength: 12 }),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, depthSize: "medium" },
    scalar,
    fc.array(tie("tree"), { maxLength: 5 }),
    fc.dictionary(fc.oneof(word, fc.string({ maxLength: 6 })), tie("tree"), { maxKeys: 6, noNullPrototype: true }),
  ),
}));
const node = fc.record(
  {
    actor: fc.constantFrom("vad", "turn", "stt", "agent", "tts", "echo", "tap", "gate"),
    inputs: fc.array(fc.constantFrom("in", "a", "b", "c", "d"), { minLength: 1, maxLength: 3 }),
    model: fc.constantFrom("vad", "ears", "voice"),
    feedback: fc.boolean(),
    llm: fc.constant({ kind: "echo" }),
  },
  { requiredKeys: ["actor", "inputs"] },
);
const graphs = fc.record({
  g: fc.oneof(
    fc.array(fc.oneof(fc.constantFrom("echo", "tap", "turn"), tree), { maxLength: 4 }),
    fc.record({
      nodes: fc.record({ a: node, b: node, c: node, d: node }, { requiredKeys: ["a"] }),
      output: fc.array(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 3 }),
    }),
  ),
});
const MODELS = { vad: { family: "starter-vad" }, ears: { family: "starter-ctc" }, voice: { family: "flite" } };

/** What the runtime relies on without looking. */
function checkPlan(plan: Plan): void {
  for (const [position, each] of plan.nodes.entries()) assert.equal(each.index, position);
  for (const each of plan.nodes) assert.ok(each.workers.length > 0);
  for (const graph of plan.graphs) {
    assert.ok(graph.terminalEdges.length > 0 && graph.finalizeEdges.length > 0);
    const place = new Map(graph.nodes.map((index, position) => [index, position]));
    for (const edge of plan.edges.filter((each) => each.graph === graph.name)) {
      assert.ok(edge.kinds.length > 0);
      if (!edge.kinds.includes("close") || edge.from < 0 || edge.to < 0) continue;
      assert.ok(place.get(edge.from)! < place.get(edge.to)!, "edges that carry close run forward");
    }
    for (const index of graph.nodes) {
      const closes = plan.edges.filter((edge) => edge.to === index && edge.kinds.includes("close"));
      assert.ok(closes.length > 0, "a close reaches every node");
      assert.ok(
        plan.edges.some((edge) => edge.from === index && edge.kinds.includes("close")),
        "and leaves it",
      );
    }
  }
}

function attempt(run: () => Plan): "sound" | "refused" {
  try {
    checkPlan(run());
    return "sound";
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert.ok(error.problems.some((problem) => problem.severity === "error"));
    assert.ok(formatProblems(error.problems).length > 0);
    return "refused";
  } finally {
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    assert.equal(Object.keys(Object.prototype).length, 0);
  }
}

describe("whatever is given", () => {
  test("random objects give a plan or a ConfigError", () => {
    const config = fc.oneof(
      tree.filter((value) => typeof value === "object" && value !== null),
      fc.record({ version: fc.constant(1), graphs, models: fc.oneof(fc.constant(MODELS), tree) }),
      fc.record({ version: fc.constant(1), server: tree, graphs: tree, routes: tree, models: tree }),
    );
    fc.assert(
      fc.property(config, (value) => void attempt(() => loadConfig(value as object, options).plan)),
      { seed: SEED, numRuns: 600 },
    );
  });

  test("random graphs of known actors give sound plans or are refused, and both happen", () => {
    const seen = { sound: 0, refused: 0 };
    fc.assert(
      fc.property(graphs, (value) => {
        seen[attempt(() => loadConfig({ version: 1, models: MODELS, graphs: value }, options).plan)]++;
      }),
      { seed: SEED, numRuns: 1500 },
    );
    assert.ok(seen.sound > 20 && seen.refused > 20, JSON.stringify(seen));
  });

  test("random text gives problems inside the file", () => {
    const line = fc.tuple(
      fc.nat({ max: 6 }),
      word,
      fc.constantFrom(": ", ":", " ", ": &a ", ": *a ", ": [", ": {", "- "),
      scalar,
    );
    const yaml = fc.array(
      line.map(([indent, key, mark, value]) => `${" ".repeat(indent)}${key}${mark}${String(value)}`),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          yaml.map((lines) => lines.join("\n")),
          fc.string({ unit: "binary" }),
        ),
        (text) => {
          const lines = text.split("\n");
          for (const { line, column } of problemsOf(text)) {
            assert.ok(line >= 1 && line <= lines.length, `line ${line}`);
            assert.ok(column >= 1 && column <= lines[line - 1]!.length + 1, `column ${column}`);
          }
        },
      ),
      { seed: SEED, numRuns: 600 },
    );
  });

  test("circular and strange objects are refused", () => {
    const circular: Record<string, unknown> = { version: 1 };
    circular.graphs = circular;
    for (const value of [
      circular,
      { version: 1, graphs: () => 1 },
      { graphs: Symbol("g") },
      [],
      new Map(),
      { version: 1n },
    ]) {
      assert.ok(checkConfig(value, options).problems.length > 0);
    }
  });
});
