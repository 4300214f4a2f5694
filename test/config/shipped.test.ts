import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { packageRoot } from "../../src/base/package-root.js";
import { formatProblems, loadConfig, type Plan, REAL_REGISTRIES } from "../../src/config/index.js";
import { configJsonSchema } from "../../src/config/json-schema.js";
import { FACE_NAMES } from "../../src/config/schema.js";
import type { JsonSchema } from "../../src/config/schema-nav.js";
import { buildRoutes } from "../../src/transport/routes.js";

const folder = join(packageRoot(), "configs");
const shipped = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

function planOf(name: string): Plan {
  const { plan, warnings } = loadConfig(join(folder, name), { env: {}, coreCount: 8 });
  assert.deepEqual(warnings, [], formatProblems(warnings));
  return plan;
}
const workers = (plan: Plan): string[] => plan.workers.map((worker) => worker.name);
const places = (plan: Plan): string[] =>
  plan.nodes.map((node) => `${node.name}@${node.workers.map((index) => workers(plan)[index - 1]).join()}`);

describe("the shipped configurations", () => {
  test("are one per level of ambition, and all begin with the editors' line", () => {
    assert.deepEqual(shipped, ["assistant.yaml", "drop-in.yaml", "echo.yaml", "transcribe.yaml", "vad.yaml"]);
    for (const name of shipped) {
      const [first] = readFileSync(join(folder, name), "utf8").split("\n");
      assert.equal(first, "# yaml-language-server: $schema=./schema.json");
    }
  });

  test("drop-in serves others' clients where they look, with three models for all of it", () => {
    const plan = planOf("drop-in.yaml");
    assert.deepEqual(workers(plan), ["io", "vad/0", "ears/0", "voice/0"]);
    const faces = new Set(plan.routes.map(({ face }) => face));
    assert.deepEqual([...faces].sort(), [...FACE_NAMES].sort());
    assert.ok(buildRoutes(plan).has("/v1/listen"));
  });

  test("the container serves what drop-in does, at the same paths", () => {
    const file = join(packageRoot(), "deploy", "container.yaml");
    const { plan } = loadConfig(file, { env: { SYRINX_API_KEYS: "0123456789abcdef0123456789abcdef" }, coreCount: 8 });
    assert.deepEqual(plan.routes, planOf("drop-in.yaml").routes);
    assert.ok(buildRoutes(plan).has("/v1/listen"));
  });

  test("echo needs no model", () => {
    const plan = planOf("echo.yaml");
    assert.deepEqual(workers(plan), ["io"]);
    assert.deepEqual(plan.graphs[0]!.accepts, ["audio.in"]);
  });

  test("vad runs one model and tells its caller about speech", () => {
    const plan = planOf("vad.yaml");
    assert.deepEqual(workers(plan), ["vad/0"]);
    assert.ok(plan.edges.some((edge) => edge.to === -2 && edge.kinds.includes("vad")));
  });

  test("transcribe feeds the recogniser through the voice activity detector", () => {
    const plan = planOf("transcribe.yaml");
    assert.deepEqual(workers(plan), ["vad/0", "ears/0"]);
    assert.deepEqual(places(plan), ["vad@vad/0", "stt@ears/0"]);
    const between = plan.edges.find((edge) => edge.from === 0 && edge.to === 1)!;
    assert.deepEqual([...between.kinds].sort(), ["audio.in", "close", "fence", "vad"]);
    assert.equal(between.onFull, "block-source");
    assert.equal(plan.server.port, 8080);
  });

  test("assistant is a whole turn, reply and all", () => {
    const plan = planOf("assistant.yaml");
    const [graph] = plan.graphs;
    assert.deepEqual(workers(plan), ["io", "vad/0", "ears/0", "voice/0"]);
    assert.deepEqual(
      plan.nodes.map((node) => node.name),
      ["vad", "turn", "stt", "agent", "tts"],
    );
    assert.equal(graph!.hasAgent, true);
    const toCaller = plan.edges.filter((edge) => edge.to === -2).flatMap((edge) => edge.kinds);
    for (const kind of ["vad", "turn", "transcript.partial", "transcript.final", "text", "audio.out"] as const) {
      assert.equal(toCaller.filter((each) => each === kind).length, 1, kind);
    }
    assert.equal(plan.edges[graph!.finalizeEdges[0]!]!.from, 2, "finalize comes back from the recogniser");
    assert.equal(plan.edges[graph!.terminalEdges[0]!]!.from, 4, "marks come back from the voice");
  });
});

describe("configs/schema.json", () => {
  const schema = configJsonSchema();

  test("is up to date: `npm run schema` writes it", () => {
    const path = join(folder, "schema.json");
    assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), JSON.parse(JSON.stringify(schema)));
  });

  test("knows every actor in both forms and every family", () => {
    const names = Object.keys(schema.definitions!);
    for (const actor of REAL_REGISTRIES.actorNames()) {
      assert.ok(names.includes(`chain-${actor}`) && names.includes(`node-${actor}`), actor);
    }
    for (const family of REAL_REGISTRIES.familyNames()) assert.ok(names.includes(`model-${family}`), family);
  });

  test("has no dangling reference", () => {
    const text = JSON.stringify(schema);
    for (const [, name] of text.matchAll(/"#\/definitions\/([^"]+)"/g)) assert.ok(schema.definitions![name!], name);
  });

  test("accepts the shipped configurations' keys and no others", () => {
    const vad = schema.definitions!["chain-vad"]!;
    assert.equal(vad.additionalProperties, false);
    assert.ok(vad.properties!.model && vad.properties!.stopMs && vad.properties!.name);
    assert.equal(schema.definitions!["chain-echo"]!.properties!.model, undefined, "echo runs no model");
    assert.equal(schema.additionalProperties, false);
  });

  test("describes this format's own keys to the editor", () => {
    const without: string[] = [];
    const walk = (each: JsonSchema, path: string): void => {
      for (const [key, property] of Object.entries(each.properties ?? {})) {
        if (property.description === undefined && property.$ref === undefined) without.push(`${path}.${key}`);
        walk(property, `${path}.${key}`);
      }
    };
    walk(schema.properties!.server!, "server");
    walk(schema.properties!.routes!.additionalProperties as JsonSchema, "routes");
    assert.deepEqual(without, []);
  });
});
