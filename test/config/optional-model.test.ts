import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { configJsonSchema } from "../../src/config/json-schema.js";
import { fakeRegistries, load, problemsOf } from "./fakes.js";

/** An actor that needs a model only if it is told to be clever. */
const registries = fakeRegistries([
  {
    name: "judge",
    inputs: ["audio.in"],
    outputs: ["vad"],
    forwards: ["audio.in"],
    task: "vad",
    options: z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("plain").default("plain"), endMs: z.number().default(100) }),
      z.strictObject({ kind: z.literal("clever"), threshold: z.number().max(1).default(0.5) }),
    ]),
    needsModel: ({ kind }: { kind: string }) => kind === "clever",
  },
]);
const OPTIONS = { registries };

const config = (judge: string): string => `version: 1
models: { v: { family: starter-vad }, w: { family: starter-vad }, ears: { family: starter-ctc } }
graphs: { g: [{ vad: { model: v } }, { judge: ${judge} }, { stt: { model: ears } }] }
`;

const told = (judge: string): string[] =>
  problemsOf(config(judge), OPTIONS)
    .filter(({ code }) => code !== "unused-model")
    .map(({ code, message, path }) => `${code} ${path}: ${message}`);

describe("an actor that needs a model only with some options", () => {
  test("lives on the model's worker with them, and where its input comes from without", () => {
    const placeOf = (judge: string): string => {
      const { plan } = load(config(judge), OPTIONS);
      const node = plan.nodes.find(({ name }) => name === "judge")!;
      return node.workers.map((index) => plan.workers.find((worker) => worker.index === index)!.name).join();
    };
    assert.equal(placeOf("{ kind: clever, model: w }"), "w/0");
    assert.equal(placeOf("{ kind: clever, model: v }"), "v/0");
    assert.equal(placeOf("{}"), "v/0");
    assert.equal(placeOf("{ kind: plain }"), "v/0");
  });

  test("asks for it with them, and refuses it without", () => {
    assert.deepEqual(told("{ kind: clever, model: w }"), []);
    assert.match(
      told("{ kind: clever }").join("\n"),
      /^missing-model .*the actor `judge` needs a vad model; add `model: v`$/,
    );
    assert.match(told("{ model: w }").join("\n"), /^needless-model .*`judge` runs no model with these options$/);
    assert.match(told("{ kind: clever, model: ears }").join("\n"), /^wrong-task/);
  });

  test("whose options do not fit is told that alone, in the words of the kind that was chosen", () => {
    const [unknown, ...none] = told("{ kind: clever, endMs: 5, model: w }");
    assert.match(unknown!, /^unknown-key .*unknown key `endMs`/);
    assert.deepEqual(none, []);
    const [other, ...more] = problemsOf(config("{ kind: loud, model: w }"), OPTIONS).filter(
      ({ code }) => code === "invalid-value",
    );
    assert.equal(other!.expected, "one of plain, clever");
    assert.deepEqual(more, []);
  });

  test("may stand without options in an editor's eyes if its defaults need none", () => {
    const { definitions } = configJsonSchema(registries);
    const bare = definitions!["chain-item"]!.anyOf![0]!.enum!;
    assert.ok(bare.includes("judge") && bare.includes("echo") && !bare.includes("vad"));
    assert.ok(definitions!["chain-judge"]!.anyOf!.every((branch) => branch.properties!.model !== undefined));
  });
});
