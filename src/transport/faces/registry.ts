import { deepgramFlux } from "./deepgram-flux.js";
import { deepgramListen } from "./deepgram-listen.js";
import { deepgramSpeak } from "./deepgram-speak.js";
import type { Face } from "./face.js";
import { native } from "./native.js";
import { openaiModels } from "./openai-models.js";
import { openaiSpeech } from "./openai-speech.js";
import { openaiTranscriptions, openaiTranslations } from "./openai-transcriptions.js";
import { pipecat } from "./pipecat.js";

/** Every wire protocol the server speaks. A new one is one file and one line here. */
const FACE_LIST: readonly Face[] = [
  native,
  deepgramListen,
  deepgramFlux,
  deepgramSpeak,
  openaiModels,
  openaiSpeech,
  openaiTranscriptions,
  openaiTranslations,
  pipecat,
];

export const FACES: ReadonlyMap<string, Face> = new Map(FACE_LIST.map((face) => [face.name, face]));
