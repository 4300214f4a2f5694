import { endianness } from "node:os";
import { decodeG711, encodeG711, type G711Law } from "../../audio/g711.js";
import { assert } from "../../base/assert.js";
import { SyrinxError } from "../../base/errors.js";
import type { AudioFormat } from "../../client/messages.js";

/** Bytes of one encoding ↔ s16 samples. */
export interface SampleCodec {
  readonly sampleBytes: number;
  /** May return a view into `bytes`. Throws CALL_AUDIO_ODD_BYTES. */
  decode(bytes: Uint8Array): Int16Array;
  /** May return a view into `pcm`. */
  encode(pcm: Int16Array): Uint8Array;
}

assert(endianness() === "LE", "samples are handed on as they lie in memory, little-endian");

const s16le: SampleCodec = {
  sampleBytes: 2,
  decode(bytes) {
    if (bytes.byteLength % 2 !== 0) {
      throw new SyrinxError("CALL_AUDIO_ODD_BYTES", { byteCount: bytes.byteLength, sampleBytes: 2 });
    }
    // The network library hands out pieces of larger chunks, at any byte: only an even one can be looked at as samples.
    // Not `slice`: that of a Buffer is a view.
    const aligned = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes);
    return new Int16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2);
  },
  encode: (pcm) => new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength),
};

export const SAMPLE_CODECS: Readonly<Record<AudioFormat, SampleCodec>> = {
  s16le,
  mulaw: g711("mulaw"),
  alaw: g711("alaw"),
};

function g711(law: G711Law): SampleCodec {
  return {
    sampleBytes: 1,
    decode(bytes) {
      const pcm = new Int16Array(bytes.byteLength);
      decodeG711(law, bytes, 0, bytes.byteLength, pcm, 0);
      return pcm;
    },
    encode(pcm) {
      const bytes = new Uint8Array(pcm.length);
      encodeG711(law, pcm, 0, pcm.length, bytes, 0);
      return bytes;
    },
  };
}
