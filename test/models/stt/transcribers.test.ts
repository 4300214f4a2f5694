import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CtcTranscriber } from "../../../src/models/stt/transcriber.js";
import { type TransducerRules, transducerDecoder } from "../../../src/models/stt/transducer.js";
import type { PredictorRow, TransducerNetwork } from "../../../src/models/stt/transducer-network.js";

/** Each frame holds the logits themselves; the network counts the tokens. */
class Echo implements TransducerNetwork {
  createRow = (): PredictorRow => ({ context: [], state: [], next: undefined, output: undefined });

  async step(batch: readonly { readonly frame: Float32Array }[]): Promise<Float32Array> {
    return Float32Array.from(batch.flatMap(({ frame }) => [...frame]));
  }

  commit(row: PredictorRow, token: number): void {
    row.context.push(token);
  }
}

const BLANK = 0;
const rules = (more: Partial<TransducerRules> = {}): TransducerRules => ({
  blank: BLANK,
  symbolCount: 3,
  tokensPerFrameMax: 4,
  ...more,
});

/** Logits with one symbol on top, and a duration if there are any. */
function frame(symbol: number, duration?: number): number[] {
  const logits = [0, 0, 0].map((_, id) => (id === symbol ? 9 : 0));
  return duration === undefined ? logits : [...logits, ...[0, 1, 2, 3, 4].map((d) => (d === duration ? 9 : 0))];
}

async function run(chosen: TransducerRules, ...parts: readonly (readonly number[])[][]) {
  const decoder = transducerDecoder(new Echo(), chosen);
  const transcriber = decoder.create();
  let steps = 0;
  for (const frames of parts) {
    transcriber.push(Float32Array.from(frames.flat()), frames.length);
    for (; transcriber.isPending; steps += 1) await decoder.step([transcriber]);
  }
  return { tokens: transcriber.tokens.map(({ id, startFrame, endFrame }) => [id, startFrame, endFrame]), steps };
}

describe("greedy transducer decoding", () => {
  test("asks a frame again until it is blank, but not without end", async () => {
    const { tokens, steps } = await run(rules(), [frame(BLANK), frame(2), frame(BLANK)]);
    assert.deepEqual(tokens, Array(4).fill([2, 1, 2]));
    assert.equal(steps, 6);
  });

  test("goes on by the duration, across the borders of what it is given", async () => {
    const stream = [frame(1, 2), frame(2, 1), frame(2, 4), frame(1, 1), frame(1, 1), frame(1, 1), frame(2, 3)];
    const expected = [
      [1, 0, 2],
      [2, 2, 6],
      [2, 6, 9],
    ];
    assert.deepEqual((await run(rules(), stream)).tokens, expected);
    for (const cut of [1, 2, 3, 5]) {
      assert.deepEqual((await run(rules(), stream.slice(0, cut), stream.slice(cut))).tokens, expected, `cut at ${cut}`);
    }
    const single = stream.map((each) => [each]);
    assert.deepEqual((await run(rules(), ...single)).tokens, expected);
  });

  test("is not held by a blank, or by many tokens, of duration 0", async () => {
    const { tokens } = await run(rules({ tokensPerFrameMax: 2 }), [frame(BLANK, 0), frame(1, 0), frame(2, 1)]);
    assert.deepEqual(tokens, [
      [1, 1, 2],
      [1, 1, 2],
      [2, 2, 3],
    ]);
  });
});

describe("greedy CTC decoding", () => {
  test("merges what is repeated, also across borders, and keeps what a blank parts", () => {
    const symbols = [BLANK, 1, 1, 2, 2, BLANK, 2, 1];
    for (let cut = 1; cut < symbols.length; cut += 1) {
      const transcriber = new CtcTranscriber(BLANK);
      for (const part of [symbols.slice(0, cut), symbols.slice(cut)]) {
        transcriber.push(Float32Array.from(part.flatMap((symbol) => frame(symbol))), part.length);
      }
      assert.deepEqual(
        transcriber.tokens.map(({ id, startFrame, endFrame }) => [id, startFrame, endFrame]),
        [
          [1, 1, 3],
          [2, 3, 5],
          [2, 6, 7],
          [1, 7, 8],
        ],
      );
    }
  });
});
