/** WAV as it comes in: chunks are walked through without holding them. */
import { EXTENSIBLE_BYTES, isTag, isWav, readWavFormat } from "../wav.js";
import { ByteQueue } from "./byte-queue.js";
import { decodeFailed, type LiveFormatDecoder, type PcmSink } from "./format-decoder.js";
import { RawDecoder } from "./raw.js";

const RIFF_BYTES = 12;
const CHUNK_HEAD_BYTES = 8;

/**
 * A data chunk that claims more than comes (a cut-off download, a stream that was written with an open size) has the
 * samples that come. What follows the data chunk is no audio and is passed over.
 */
export class WavDecoder implements LiveFormatDecoder {
  readonly #name: string;
  readonly #queue = new ByteQueue();
  #hasRiff = false;
  #hasFormat = false;
  #samples: RawDecoder | undefined;
  #dataBytesLeft = 0;
  #isInData = false;

  /** @param name for messages. */
  constructor(name: string) {
    this.#name = name;
  }

  decode(bytes: Uint8Array, sink: PcmSink): void {
    if (this.#isInData) {
      this.#decodeData(bytes, sink);
      return;
    }
    this.#queue.push(bytes);
    if (!this.#hasRiff) {
      if (this.#queue.length < RIFF_BYTES) return;
      if (!isWav(this.#queue.view)) decodeFailed(this.#name, "it does not begin as a WAV file does");
      this.#queue.drop(RIFF_BYTES);
      this.#hasRiff = true;
    }
    while (!this.#isInData && this.#walk());
    if (!this.#isInData) return;
    this.#decodeData(this.#queue.view, sink);
    this.#queue.drop(this.#queue.length);
  }

  /** Throws AUDIO_DECODE_FAILED if there was no data chunk. */
  end(): void {
    if (this.#isInData) return;
    decodeFailed(this.#name, this.#hasFormat ? "it has no samples" : "it ends before its format");
  }

  free(): void {}

  /** One chunk. False if more bytes are needed. */
  #walk(): boolean {
    const head = this.#queue.view;
    if (head.length < CHUNK_HEAD_BYTES) return false;
    const byteCount = new DataView(head.buffer, head.byteOffset).getUint32(4, true);
    if (isTag(head, 0, "data")) {
      if (!this.#hasFormat) decodeFailed(this.#name, "its samples come before their format");
      this.#queue.drop(CHUNK_HEAD_BYTES);
      this.#dataBytesLeft = byteCount;
      this.#isInData = true;
      return true;
    }
    if (isTag(head, 0, "fmt ")) {
      const looked = Math.min(byteCount, EXTENSIBLE_BYTES);
      if (head.length < CHUNK_HEAD_BYTES + looked) return false;
      const { encoding, rateHz, channels } = readWavFormat(
        head.subarray(CHUNK_HEAD_BYTES, CHUNK_HEAD_BYTES + looked),
        this.#name,
      );
      this.#samples = new RawDecoder(encoding, rateHz, channels);
      this.#hasFormat = true;
    }
    // Chunks of odd length are padded.
    this.#queue.drop(CHUNK_HEAD_BYTES + byteCount + (byteCount & 1));
    return true;
  }

  #decodeData(bytes: Uint8Array, sink: PcmSink): void {
    const count = Math.min(bytes.length, this.#dataBytesLeft);
    // A length of all ones is an open one.
    if (this.#dataBytesLeft !== 0xffffffff) this.#dataBytesLeft -= count;
    this.#samples?.decode(count === bytes.length ? bytes : bytes.subarray(0, count), sink);
  }
}
