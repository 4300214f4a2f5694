/** Recognisers put together of an encoder, a decoder and a front-end. */
import type { FamilyContext, SttModel } from "../family.js";
import type { FrameAnalysis } from "../front-ends/frame-stream.js";
import { SegmentStream, WindowStream } from "./encoded-stream.js";
import type { ModelFolder } from "./model-folder.js";
import type { SegmentEncoder } from "./segment-encoder.js";
import { partialLagSamples, partialSamples } from "./segment-options.js";
import { StagedModel } from "./staged-model.js";
import type { TokenTable } from "./token-table.js";
import type { TokenDecoder, Transcriber } from "./transcriber.js";
import type { WindowEncoder } from "./window-encoder.js";

interface Parts<T extends Transcriber> {
  /** All networks in it are open. */
  readonly files: ModelFolder;
  readonly analysis: FrameAnalysis;
  readonly table: TokenTable;
  /** Feature frames that one encoder frame stands for. */
  readonly subsampling: number;
  readonly decoder: TokenDecoder<T>;
  readonly context: FamilyContext;
}

/** Hears segments whole. */
export function segmentRecogniser<T extends Transcriber>(
  { files, analysis, table, subsampling, decoder, context }: Parts<T>,
  encoder: SegmentEncoder,
  partialMs: number,
): SttModel {
  const encoderFrameSamples = subsampling * analysis.shiftSamples;
  return new StagedModel<T, SegmentStream<T>>({
    device: files.device,
    description: files.description,
    lagSamples: partialLagSamples(partialMs),
    encoderBatchMax: encoder.batchMax,
    decoderBatchMax: context.batchMax,
    first: "encoder",
    decoder,
    createStream: (transcriber) =>
      new SegmentStream({ analysis, transcriber, table, encoderFrameSamples }, partialSamples(partialMs)),
    encode: (batch) => encoder.encode(batch),
    release: () => files.release(),
  });
}

/** Hears streams window by window. */
export function windowRecogniser<T extends Transcriber>(
  { files, analysis, table, subsampling, decoder, context }: Parts<T>,
  encoder: WindowEncoder,
): SttModel {
  const encoderFrameSamples = subsampling * analysis.shiftSamples;
  const { windows } = encoder;
  const framesAhead = windows.frames - windows.lead - windows.shift;
  const { shiftSamples, windowSamples, leadSamples } = analysis;
  return new StagedModel<T, WindowStream<T>>({
    device: files.device,
    description: files.description,
    lagSamples: (windows.shift + framesAhead) * shiftSamples + windowSamples - leadSamples,
    encoderBatchMax: encoder.batchMax,
    decoderBatchMax: context.batchMax,
    first: "decoder",
    decoder,
    createStream: (transcriber) =>
      new WindowStream({ analysis, transcriber, table, encoderFrameSamples }, windows, encoder.createCaches()),
    encode: (batch) => encoder.encode(batch),
    release: () => files.release(),
  });
}
