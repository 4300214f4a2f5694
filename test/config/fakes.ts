/** Actors and families with the contracts of the real ones and no code behind them. */
import { z } from "zod";
import type { AnyActor } from "../../src/actors/define.js";
import {
  ConfigError,
  type ConfigProblem,
  type LoadOptions,
  loadConfigText,
  type Plan,
} from "../../src/config/index.js";
import type { Registries } from "../../src/config/registries.js";
import type { FamilyDefinition, ModelTask } from "../../src/models/family.js";

type FakeActor = Pick<AnyActor, "name" | "inputs" | "outputs" | "forwards"> & Partial<AnyActor>;

function actor(parts: FakeActor): AnyActor {
  return {
    summary: `fake ${parts.name}`,
    options: z.strictObject({}),
    thread: "compute",
    latencyMs: () => 0,
    create: () => {
      throw new Error("a fake actor does not run");
    },
    ...parts,
  };
}

const ACTORS: readonly AnyActor[] = [
  actor({ name: "echo", inputs: ["audio.in"], outputs: ["audio.out"], forwards: [] }),
  actor({
    name: "vad",
    inputs: ["audio.in"],
    requires: ["audio.in"],
    outputs: ["vad"],
    forwards: ["audio.in"],
    task: "vad",
    options: z.strictObject({
      startMs: z.int().min(20).max(1000).default(60),
      stopMs: z.int().min(40).max(5000).default(250),
      threshold: z.number().min(0).max(1).default(0.5),
    }),
    latencyMs: (options: { stopMs: number }) => options.stopMs,
    stateBytes: () => 1280,
  }),
  actor({
    name: "turn",
    inputs: ["audio.in", "vad"],
    requires: ["vad"],
    outputs: ["turn"],
    forwards: ["audio.in", "vad"],
    options: z.strictObject({
      kind: z.literal("silence").default("silence"),
      endMs: z.number().min(0).max(10_000).default(600),
      interrupt: z.boolean().default(true),
    }),
    latencyMs: (options: { endMs: number }) => options.endMs,
  }),
  actor({
    name: "stt",
    inputs: ["audio.in", "vad", "turn"],
    requires: ["audio.in", "vad"],
    outputs: ["transcript.partial", "transcript.final"],
    forwards: ["turn", "vad"],
    task: "stt",
    options: z.strictObject({
      partialMs: z.int().min(0).default(200),
      keyterms: z.array(z.string().min(1)).default([]),
    }),
    latencyMs: () => 100,
  }),
  actor({
    name: "agent",
    inputs: ["turn", "transcript.final"],
    requires: ["turn", "transcript.final"],
    outputs: ["text", "reply"],
    forwards: [],
    thread: "io",
    options: z.strictObject({
      llm: z.discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("echo") }),
        z.strictObject({
          kind: z.literal("openai"),
          baseUrl: z.url(),
          model: z.string().min(1),
          apiKeyEnv: z.string().optional(),
          timeoutMs: z.int().min(100).default(20_000),
        }),
      ]),
    }),
  }),
  actor({
    name: "tts",
    inputs: ["text", "reply"],
    requires: ["text"],
    outputs: ["audio.out", "alignment"],
    forwards: ["reply"],
    task: "tts",
    options: z.strictObject({ speed: z.number().min(0.5).max(2).default(1) }),
    latencyMs: () => 50,
  }),
  actor({ name: "tap", inputs: ["audio.in", "vad"], outputs: [], forwards: ["audio.in", "vad"] }),
  actor({ name: "gate", inputs: ["audio.in", "transcript.final"], outputs: [], forwards: ["audio.in"] }),
];

function family(name: string, task: ModelTask, options: z.ZodType): FamilyDefinition {
  return {
    name,
    task,
    options,
    open: () => {
      throw new Error("a fake family opens nothing");
    },
  };
}

const withFile = z.strictObject({ file: z.string().min(1).optional() });
const FAMILIES: readonly FamilyDefinition[] = [
  family("starter-vad", "vad", withFile),
  family("starter-ctc", "stt", withFile),
  family("flite", "tts", z.strictObject({ voice: z.enum(["slt", "rms"]).default("slt") })),
];

export function fakeRegistries(extra: readonly FakeActor[] = []): Registries {
  const actors = [...ACTORS, ...extra.map(actor)];
  return {
    findActor: (name) => actors.find((each) => each.name === name),
    actorNames: () => actors.map((each) => each.name),
    findFamily: (name) => FAMILIES.find((each) => each.name === name),
    familyNames: () => FAMILIES.map((each) => each.name),
  };
}

export const FILE = "test.yaml";

/** Loads YAML against the fakes, on a machine of 8 cores with an empty environment. */
export function load(text: string, options: LoadOptions = {}): { plan: Plan; warnings: readonly ConfigProblem[] } {
  return loadConfigText(text, FILE, { env: {}, registries: fakeRegistries(), coreCount: 8, ...options });
}

/** All problems of a text, warnings too. */
export function problemsOf(text: string, options: LoadOptions = {}): readonly ConfigProblem[] {
  try {
    return load(text, options).warnings;
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** `line:column code path`, one per problem: what most tests compare. */
export function brief(problems: readonly ConfigProblem[]): string[] {
  return problems.map(({ line, column, code, path }) => `${line}:${column} ${code} ${path}`);
}
