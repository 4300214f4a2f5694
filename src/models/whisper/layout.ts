/** The two ways in which Whisper's files are laid out, as one: what is known without weights, and how to open them. */
import type { Heard } from "../encoder-decoder/cached-decoder.js";
import type { OpenDecoder } from "../encoder-decoder/open.js";
import type { FamilyContext } from "../family.js";
import type { FileSearch } from "../model-folder.js";
import { readHubLayout } from "./hub-layout.js";
import { findSherpaFiles, readSherpaLayout } from "./sherpa-layout.js";
import type { WhisperVocabulary } from "./vocabulary.js";

export interface WhisperLayout {
  readonly vocabulary: WhisperVocabulary;
  open(context: FamilyContext): Promise<OpenWhisper>;
}

export interface OpenWhisper extends OpenDecoder {
  readonly device: string;
  /** Of the spectrogram. */
  readonly bins: number;
  /** Hears spectrograms f32 [count, bins, 3000], one after the other in `features`. */
  hear(features: Float32Array, count: number): Promise<Heard>;
}

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readLayout(search: FileSearch): Promise<WhisperLayout> {
  const sherpa = await findSherpaFiles(search);
  return sherpa === undefined ? readHubLayout(search) : readSherpaLayout(sherpa);
}
