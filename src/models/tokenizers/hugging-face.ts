/** Vocabularies as `tokenizer.json`, the format of Hugging Face's tokenizers; the package of the same name reads it. */
import { Tokenizer as HuggingFace } from "@huggingface/tokenizers";
import { z } from "zod";
import { reasonOf, SyrinxError } from "../../base/errors.js";
import { readVocabulary, type Tokenizer } from "./tokenizer.js";

const shape = z.looseObject({ model: z.looseObject({}), added_tokens: z.array(z.looseObject({})).optional() });

/** Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID. */
export async function readHuggingFaceTokenizer(path: string): Promise<Tokenizer> {
  const bytes = await readVocabulary(path);
  try {
    // The second argument is tokenizer_config.json, whose keys matter for encoding, and for a tidying of spaces that
    // recognisers do not want.
    return new HuggingFaceTokenizer(new HuggingFace(shape.parse(JSON.parse(bytes.toString("utf8"))), {}));
  } catch (error) {
    const reason = `it is no tokenizer.json: ${reasonOf(error).split("\n")[0]}`;
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason }, error);
  }
}

class HuggingFaceTokenizer implements Tokenizer {
  readonly size: number;
  readonly #tokenizer: HuggingFace;

  constructor(tokenizer: HuggingFace) {
    this.#tokenizer = tokenizer;
    let last = -1;
    for (const id of tokenizer.get_vocab().values()) last = Math.max(last, id);
    this.size = last + 1;
  }

  decode(ids: readonly number[]): string {
    const known = ids.filter((id) => this.#tokenizer.id_to_token(id) !== undefined);
    if (known.length === 0) return "";
    return this.#tokenizer.decode(known, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  }

  idOf(token: string): number | undefined {
    return this.#tokenizer.token_to_id(token);
  }
}
