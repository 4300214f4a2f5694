/** `syrinx models verify`. */
import { isSyrinxError, SyrinxError } from "../../base/errors.js";
import { type ChosenModel, modelId, wrongFiles } from "../../models/catalogue/index.js";
import { type Figure, type Trial, tryModel } from "../../models/catalogue/trial.js";
import { hasFamily } from "../../models/registry.js";
import { decodeOne } from "../decode-one.js";
import { openCatalogue } from "../models-view.js";

export interface VerifyOptions {
  readonly recording?: string;
  readonly text?: string;
  readonly device: string;
  readonly json?: boolean;
}

export async function verify(name: string | undefined, options: VerifyOptions): Promise<void> {
  const { catalogue, cache } = openCatalogue();
  const models =
    name === undefined
      ? catalogue.list().flatMap((entry) => entry.variants.map((variant): ChosenModel => ({ entry, variant })))
      : [catalogue.choose(name, options.device)];
  const here = name === undefined ? models.filter((model) => cache.state(model) !== "absent") : models;
  const recording = await readRecording(options);
  let failure: unknown;
  for (const model of here) {
    try {
      await verifyOne(model, options, recording);
    } catch (error) {
      if (here.length === 1) throw error;
      if (!isSyrinxError(error)) throw error;
      const told = { type: "failed", id: modelId(model), code: error.code, message: error.message };
      process.stdout.write(options.json === true ? `${JSON.stringify(told)}\n` : `${told.id}: ${told.message}\n`);
      failure = error;
    }
  }
  if (failure !== undefined) throw failure;
}

interface Recording {
  readonly pcm: Int16Array;
  readonly text: string | undefined;
}

async function readRecording({ recording, text }: VerifyOptions): Promise<Recording | undefined> {
  if (recording === undefined) return undefined;
  return { pcm: (await decodeOne(recording)).pcm, text };
}

async function verifyOne(model: ChosenModel, options: VerifyOptions, recording: Recording | undefined): Promise<void> {
  const { settings, cache } = openCatalogue();
  const { name } = model.entry;
  const [wrong] = await wrongFiles(model, settings);
  if (wrong !== undefined) {
    throw new SyrinxError("MODEL_DIGEST_MISMATCH", { file: wrong.path, name, ...pick(wrong) });
  }
  const fileCount = cache.require(model).length;
  const trial = await trialOf(model, options, recording);
  const report = { type: "verified", id: modelId(model), fileCount, ...trial };
  process.stdout.write(
    options.json === true ? `${JSON.stringify(report)}\n` : verifiedText(modelId(model), fileCount, trial),
  );
  if (trial?.fault !== undefined) throw new SyrinxError("MODEL_VERIFY_FAILED", { name, reason: trial.fault });
}

function pick({ expected, found }: { readonly expected: string; readonly found: string }): Record<string, string> {
  return { expected, found };
}

/** Undefined for a model that this build cannot run: its files are checked all the same. */
async function trialOf(
  model: ChosenModel,
  { device }: VerifyOptions,
  recording: Recording | undefined,
): Promise<Trial | undefined> {
  if (!hasFamily(model.entry.family)) return undefined;
  return tryModel(model, openCatalogue().settings, { device, recording });
}

function verifiedText(id: string, fileCount: number, trial: Trial | undefined): string {
  const digests =
    fileCount === 0 ? "no files of its own" : `${fileCount} ${fileCount === 1 ? "digest" : "digests"} right`;
  if (trial === undefined) return `${id}: ${digests}; not tried, this build cannot run it\n`;
  const heard = trial.texts.map(({ expected, heard: text }) => `  ${expected === "" ? "heard" : expected} → ${text}\n`);
  return `${id}: ${digests}; ${trial.figures.map(figureText).join(", ")}\n${heard.join("")}`;
}

function figureText({ name, value, unit }: Figure): string {
  const digits = unit === "" && Math.abs(value) < 1 ? 3 : 1;
  return `${name} ${value.toFixed(digits)}${unit === "" ? "" : ` ${unit}`}`;
}
