/** Which of a graph's voices answers to a name of somebody else's protocol, and the options of a call that speaks with it. */
import { z } from "zod";
import type { NodeFacts } from "./face.js";

const name = z.string().min(1).max(100);

/** Options of every route that speaks. */
export const voiceShape = {
  voices: z.record(name, name).default({}).describe("Voices of the graph's model, by the names that clients use."),
};

export type VoiceOptions = z.infer<z.ZodObject<typeof voiceShape>>;

/** The voices that OpenAI's clients may ask for. */
export const OPENAI_VOICES = [
  "alloy",
  "ash",
  "ballad",
  "cedar",
  "coral",
  "echo",
  "fable",
  "marin",
  "nova",
  "onyx",
  "sage",
  "shimmer",
  "verse",
] as const;

/** By family: who comes nearest. Families that are not here speak with their own first voice. */
const NEAREST: Readonly<Record<string, Readonly<Record<(typeof OPENAI_VOICES)[number], string>>>> = {
  flite: {
    alloy: "slt",
    ash: "rms",
    ballad: "awb",
    cedar: "rms",
    coral: "slt",
    echo: "rms",
    fable: "awb",
    marin: "slt",
    nova: "slt",
    onyx: "kal16",
    sage: "slt",
    shimmer: "slt",
    verse: "rms",
  },
};

/**
 * The model's own name of an OpenAI voice. A name that neither the route nor this table knows is the model's business:
 * it speaks with it, or says that it has no such voice. `undefined`: the model's own first voice.
 */
export function openaiVoice(
  asked: string,
  voices: Readonly<Record<string, string>>,
  node: NodeFacts,
): string | undefined {
  if (Object.hasOwn(voices, asked)) return voices[asked];
  if (!(OPENAI_VOICES as readonly string[]).includes(asked)) return asked;
  return NEAREST[node.model?.family ?? ""]?.[asked as (typeof OPENAI_VOICES)[number]];
}

const DEEPGRAM_MODEL = /^(?:aura(?:-2)?|flux)-([a-z0-9]+)(?:-[a-z]{2,})?$/;

/** The same for Deepgram, whose names are of the form `aura-2-thalia-en`; the route may name them whole or as `thalia`. */
export function deepgramVoice(asked: string, voices: Readonly<Record<string, string>>): string | undefined {
  if (Object.hasOwn(voices, asked)) return voices[asked];
  const short = DEEPGRAM_MODEL.exec(asked)?.[1];
  if (short === undefined) return asked;
  return Object.hasOwn(voices, short) ? voices[short] : undefined;
}

/** Options of a call whose node speaks so. */
export function nodesFor(
  node: NodeFacts,
  voice: string | undefined,
  speed: number | undefined,
): Record<string, Record<string, unknown>> {
  const options = { ...(voice === undefined ? {} : { voice }), ...(speed === undefined ? {} : { speed }) };
  return Object.keys(options).length === 0 ? {} : { [node.name]: options };
}
