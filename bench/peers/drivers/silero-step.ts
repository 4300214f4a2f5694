/** Silero, one call and one window at a time, as a service without batching runs it: the same for all drivers that are not the runtime. */
import * as ort from "onnxruntime-node";

const WINDOW = 512;
const CONTEXT = 64;
const THRESHOLD = 0.7;

export class SileroCall {
  readonly #session: ort.InferenceSession;
  readonly #input = new Float32Array(CONTEXT + WINDOW);
  #state = new Float32Array(2 * 128);
  #filled = 0;
  #speechWindows = 0;
  isSpeaking = false;

  constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  static load(file: string): Promise<ort.InferenceSession> {
    return ort.InferenceSession.create(file, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  }

  /** @returns true if speech began with this frame: 200 ms of windows above the threshold. */
  async hear(pcm: Int16Array): Promise<boolean> {
    let hasBegun = false;
    for (const sample of pcm) {
      this.#input[CONTEXT + this.#filled++] = sample / 32_768;
      if (this.#filled < WINDOW) continue;
      this.#filled = 0;
      hasBegun = (await this.#window()) || hasBegun;
    }
    return hasBegun;
  }

  async #window(): Promise<boolean> {
    const { output, stateN } = await this.#session.run({
      input: new ort.Tensor("float32", this.#input, [1, CONTEXT + WINDOW]),
      state: new ort.Tensor("float32", this.#state, [2, 1, 128]),
      sr: new ort.Tensor("int64", BigInt64Array.of(16_000n), []),
    });
    this.#state = stateN!.data as Float32Array<ArrayBuffer>;
    this.#input.copyWithin(0, WINDOW);
    const isSpeech = (output!.data as Float32Array)[0]! >= THRESHOLD;
    this.#speechWindows = isSpeech ? this.#speechWindows + 1 : 0;
    if (!isSpeech) this.isSpeaking = false;
    if (this.isSpeaking || this.#speechWindows * 32 < 200) return false;
    this.isSpeaking = true;
    return true;
  }
}
