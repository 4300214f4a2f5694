/** OpenAI's `GET /v1/models` and `GET /v1/models/ID`: https://platform.openai.com/docs/api-reference/models. */
import { z } from "zod";
import { SyrinxError } from "../../base/errors.js";
import type { Face, FaceRequest } from "./face.js";
import { listener, speaker } from "./graph-node.js";
import { jsonAnswer, openaiRefusal, SPEECH_MODELS, TRANSCRIPTION_MODELS } from "./openai.js";
import type { RestJob } from "./rest.js";

const routeOptions = z.strictObject({
  models: z.array(z.string().min(1).max(200)).max(100).default([]).describe("Further ids to list."),
});

interface Listing {
  readonly models: readonly string[];
  /** When the process began, in seconds since 1970. */
  readonly created: number;
}

export const openaiModels: Face = {
  name: "openai-models",
  parseOptions: (options): Listing => ({
    ...routeOptions.parse(options),
    created: Math.floor(performance.timeOrigin / 1000),
  }),
  refusal: openaiRefusal,
  rest: { methods: ["GET"], isPrefix: true, job },
};

function job(request: FaceRequest): RestJob {
  const { created } = request.options as Listing;
  const ids = idsOf(request);
  const asked = /\/models\/(.+)$/.exec(request.path)?.[1];
  const model = (id: string): object => ({ id, object: "model", created, owned_by: "syrinx" });
  if (asked === undefined) return { kind: "answer", answer: jsonAnswer({ object: "list", data: ids.map(model) }) };
  const id = ids.find((known) => known === decoded(asked));
  if (id === undefined) throw new SyrinxError("HTTP_NOT_FOUND", { path: request.path.slice(0, 100) });
  return { kind: "answer", answer: jsonAnswer(model(id)) };
}

/** Those that OpenAI's clients know, as far as a graph does the work, then the configuration's own. */
function idsOf(request: FaceRequest): readonly string[] {
  const graphs = [...request.facts.values()];
  const ears = graphs.flatMap((facts) => listener(facts) ?? []);
  const voices = graphs.flatMap((facts) => speaker(facts) ?? []);
  const own = [...ears, ...voices].flatMap(({ model }) => (model === undefined ? [] : [model.name]));
  return [
    ...new Set([
      ...(ears.length > 0 ? TRANSCRIPTION_MODELS : []),
      ...(voices.length > 0 ? SPEECH_MODELS : []),
      ...own,
      ...(request.options as Listing).models,
    ]),
  ];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
