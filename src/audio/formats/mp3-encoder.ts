/** MP3 by LAME (LGPL), as compiled to WebAssembly by wasm-media-encoders (MIT). */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { createEncoder } from "wasm-media-encoders";
import type { AudioEncoder } from "../encode.js";
import { s16ToF32 } from "../pcm.js";
import { formatUnsupported } from "./format-decoder.js";

/** What LAME writes at any rate from 16 kHz on; below that MPEG 2.5 ends at 64. */
const BIT_RATES_KBPS = [8, 16, 24, 32, 40, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320] as const;
const DEFAULT_KBPS = 64;

type Lame = Awaited<ReturnType<typeof createEncoder<"audio/mpeg">>>;

/** Compiled once, off this thread: the package's own way compiles anew for each encoder, 6 ms at a time. */
let compiled: Promise<WasmModule> | undefined;

async function compile(): Promise<WasmModule> {
  return WebAssembly.compile(await readFile(fileURLToPath(import.meta.resolve("wasm-media-encoders/wasm/mp3"))));
}

/** Each has a WebAssembly instance of its own, which is garbage when this is. */
export class Mp3Encoder implements AudioEncoder {
  readonly contentType = "audio/mpeg";
  readonly rateHz: number;
  readonly #lame: Lame;
  #floats = new Float32Array(0);

  private constructor(lame: Lame, rateHz: number) {
    this.#lame = lame;
    this.rateHz = rateHz;
  }

  /** Throws AUDIO_FORMAT_UNSUPPORTED for a bit rate that MP3 has not. */
  static async create(rateHz: number, bitRateKbps: number = DEFAULT_KBPS): Promise<Mp3Encoder> {
    const bitrate = BIT_RATES_KBPS.find((known) => known === bitRateKbps);
    if (bitrate === undefined) formatUnsupported(`mp3 of ${bitRateKbps} kbit/s`, BIT_RATES_KBPS.join(", "));
    compiled ??= compile();
    const lame = await createEncoder("audio/mpeg", await compiled);
    lame.configure({ sampleRate: rateHz, channels: 1, bitrate });
    return new Mp3Encoder(lame, rateHz);
  }

  encode(pcm: Int16Array): Uint8Array {
    if (this.#floats.length < pcm.length) this.#floats = new Float32Array(pcm.length);
    s16ToF32(pcm, 0, pcm.length, this.#floats, 0);
    // A view of its heap: copied out.
    return this.#lame.encode([this.#floats.subarray(0, pcm.length)]).slice();
  }

  finish(): Uint8Array {
    return this.#lame.finalize().slice();
  }

  free(): void {}
}

type WasmModule = Parameters<typeof createEncoder<"audio/mpeg">>[1];

/** The part of the WebAssembly API that is used here; Node's types leave it to the browser's. */
declare const WebAssembly: { compile(bytes: Uint8Array): Promise<WasmModule> };
