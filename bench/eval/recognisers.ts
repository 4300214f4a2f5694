/** The two ways to recognise: the model's streams in batches, for single sentences, and the product's own graph. */
import { resolve } from "node:path";
import { createClock } from "../../src/base/clock.js";
import type { CallEvent } from "../../src/frames/events.js";
import type { FamilyContext, SttModel, VadModel } from "../../src/models/family.js";
import { loadFamily } from "../../src/models/registry.js";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import { besideCheckout, finalsOf, hear } from "../../test/support/system.js";

export const STT_BATCH = 16;

/** What is evaluated; undefined: as the package has it. */
export interface Models {
  readonly stt: string | undefined;
  readonly vad: string | undefined;
  readonly lexicon: string | undefined;
  readonly beam: number | undefined;
}

export function familyContext(batchMax: number): FamilyContext {
  return { clock: createClock(), baseFolder: process.cwd(), device: "cpu", batchMax, log: () => {} };
}

function sttOptions({ stt, lexicon, beam }: Models): Record<string, unknown> {
  return without({ file: absolute(stt), lexicon: absolute(lexicon), beam });
}

export async function openStt(models: Models): Promise<SttModel> {
  const family = (await loadFamily("starter-ctc"))!;
  return (await family.open(family.options.parse(sttOptions(models)), familyContext(STT_BATCH))) as SttModel;
}

export async function openVad(family: "starter-vad" | "silero", file: string | undefined): Promise<VadModel> {
  const found = (await loadFamily(family))!;
  return (await found.open(found.options.parse(without({ file: absolute(file) })), familyContext(1))) as VadModel;
}

/** Where Silero's model is, if it is. */
export function sileroPath(): string | undefined {
  const folder = besideCheckout("models");
  return folder === undefined ? undefined : resolve(folder, "vad", "silero_vad_16k_op15.onnx");
}

/** The texts of whole sentences, one stream each, as many at once as the batch holds. */
export async function recogniseBatch(
  model: SttModel,
  clips: readonly Int16Array[],
  keyterms?: readonly string[],
): Promise<string[]> {
  const streams = clips.map((pcm) => {
    const stream = model.createStream(keyterms === undefined ? {} : { keyterms });
    stream.accept(pcm, 0, pcm.length);
    stream.finish();
    return stream;
  });
  await model.advance(streams);
  return streams.map((stream) => stream.hypothesis().text);
}

/** Graphs `transcribe`, `starter` and, where its file is present, `silero`, with the actors' defaults. */
export function startGraphs(models: Models): Promise<RuntimeImpl> {
  const silero = sileroPath();
  const listen = (model: string): object[] => [{ vad: { model } }];
  return createRuntime(
    {
      version: 1,
      server: { maxCalls: 8, log: { level: "silent" } },
      models: {
        vad: { family: "starter-vad", ...without({ file: absolute(models.vad) }) },
        ears: { family: "starter-ctc", device: "cpu", ...sttOptions(models) },
        ...(silero === undefined ? {} : { silero: { family: "silero", file: silero } }),
      },
      graphs: {
        transcribe: [{ vad: { model: "vad" } }, { stt: { model: "ears" } }],
        starter: listen("vad"),
        ...(silero === undefined ? {} : { silero: listen("silero") }),
      },
    },
    { logLevel: "silent" },
  );
}

/** What the graph makes of a recording, as from the command line. Throws what the call could not do. */
export async function recogniseCall(
  runtime: RuntimeImpl,
  pcm: Int16Array,
  keyterms?: readonly string[],
): Promise<string> {
  const call = await runtime.open("transcribe", keyterms === undefined ? {} : { nodes: { stt: { keyterms } } });
  return finalsOf(checked(await hear(call, pcm)));
}

/** Where a detector's graph heard speech, in samples. */
export async function speechStretches(
  runtime: RuntimeImpl,
  graph: "starter" | "silero",
  pcm: Int16Array,
): Promise<[start: number, end: number][]> {
  const stretches: [number, number][] = [];
  for (const event of checked(await hear(await runtime.open(graph), pcm))) {
    if (event.type !== "vad") continue;
    const sample = Math.round(event.atMs * 16);
    if (event.what === "start") stretches.push([sample, pcm.length]);
    else stretches.at(-1)![1] = sample;
  }
  return stretches;
}

function checked(events: CallEvent[]): CallEvent[] {
  const fault = events.find(({ type }) => type === "error" || type === "gap");
  if (fault !== undefined) throw new Error(`a call went wrong: ${JSON.stringify(fault)}`);
  return events;
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

function without(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
