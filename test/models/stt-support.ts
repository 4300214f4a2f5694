/** Hearing with recognisers, for the tests of their families. */
import assert from "node:assert/strict";
import type { AdvanceReport, Hypothesis, SttModel, SttStream } from "../../src/models/family.js";

/** A stream that has all of its samples. */
export function finished(model: SttModel, pcm: Int16Array): SttStream {
  const stream = model.createStream({});
  stream.accept(pcm, 0, pcm.length);
  stream.finish();
  return stream;
}

export async function hear(model: SttModel, pcm: Int16Array): Promise<Hypothesis> {
  return (await hearTogether(model, [pcm])).hypotheses[0]!;
}

/** Many segments in one `advance`. */
export async function hearTogether(
  model: SttModel,
  pcms: readonly Int16Array[],
): Promise<{ hypotheses: Hypothesis[]; report: AdvanceReport }> {
  const streams = pcms.map((pcm) => finished(model, pcm));
  const report = await model.advance(streams);
  for (const stream of streams)
    assert.ok(stream.isDone && !stream.isReady, "an advance leaves no finished stream undone");
  return { hypotheses: streams.map((stream) => stream.hypothesis()), report };
}
