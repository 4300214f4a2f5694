/** The product's own voices, and what they have said before: synthesis takes longer than recognising the result. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClock } from "../../src/base/clock.js";
import { packageRoot } from "../../src/base/package-root.js";
import type { SpokenSpan, TtsModel } from "../../src/models/family.js";
import { loadFamily } from "../../src/models/registry.js";
import { joined } from "../../test/support/system.js";

/** Not in the repository; may be removed at any time. */
const CACHE_FOLDER = join(packageRoot(), ".cache", "flite");

export class Voices {
  readonly names: readonly string[];
  readonly description: string;
  readonly #model: TtsModel;

  private constructor(model: TtsModel) {
    this.names = model.voices;
    this.description = model.description;
    this.#model = model;
  }

  static async open(): Promise<Voices> {
    const family = (await loadFamily("flite"))!;
    const context = { clock: createClock(), baseFolder: packageRoot(), device: "cpu", batchMax: 1, log: () => {} };
    mkdirSync(CACHE_FOLDER, { recursive: true });
    return new Voices((await family.open(family.options.parse({}), context)) as TtsModel);
  }

  /** 16 kHz mono, from the cache where this engine's voice has said this text before. */
  async speak(text: string, voice: string): Promise<Int16Array> {
    const key = createHash("sha256").update([this.description, voice, text].join("\n")).digest("hex");
    const path = join(CACHE_FOLDER, `${key.slice(0, 24)}.s16`);
    const known = read(path);
    if (known !== undefined) return known;
    const { pcm } = await this.speakTimed(text, voice);
    const bytes = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength);
    // Under another name first: a run beside this one must not read half a file.
    writeFileSync(`${path}.${process.pid}`, bytes);
    renameSync(`${path}.${process.pid}`, path);
    return samplesOf(bytes);
  }

  /** Spoken anew, with the times of its words. */
  async speakTimed(text: string, voice: string): Promise<TimedSpeech> {
    const parts: Int16Array[] = [];
    const { spans } = await this.#model.speak({ text, voice, isStale: () => false }, (pcm) => parts.push(pcm.slice()));
    return { pcm: joined(...parts), spans };
  }

  release(): Promise<void> {
    return this.#model.release();
  }
}

export interface TimedSpeech {
  readonly pcm: Int16Array;
  readonly spans: readonly SpokenSpan[];
}

function read(path: string): Int16Array | undefined {
  try {
    return samplesOf(readFileSync(path));
  } catch {
    return undefined;
  }
}

/** A copy: small buffers of Node lie at odd addresses. */
function samplesOf(bytes: Buffer): Int16Array {
  return new Int16Array(new Uint8Array(bytes).buffer);
}
