/** The words behind the starter recogniser's phones: a lexicon once per worker, a decoder per speech segment. */
export type { DecoderWeights } from "./beam-search.js";
export { LEXICON_FILE, type Lexicon, loadLexicon } from "./lexicon.js";
export {
  BEAM_DEFAULT,
  BEAM_MAX,
  type DecodedWord,
  PhoneDecoder,
  type PhoneDecoderOptions,
  type PhoneHypothesis,
  WEIGHTS,
} from "./phone-decoder.js";
export { LABEL_COUNT, PHONES } from "./phones.js";
