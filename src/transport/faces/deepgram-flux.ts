/**
 * Deepgram's Flux, `/v2/listen`: audio in, turns out. The protocol is at https://developers.deepgram.com/docs/flux;
 * `docs/COMPATIBILITY.md` says what of it is here, and how its thresholds become options of the graph.
 */
import { z } from "zod";
import { toSyrinxError } from "../../base/errors.js";
import { deepgramHeaders, deepgramRefusal, deepgramRefused, deepgramSubprotocol } from "./deepgram.js";
import { DeepgramFluxCodec } from "./deepgram-flux-codec.js";
import { fluxRequestOf, TurnTuning } from "./deepgram-flux-request.js";
import { LISTEN_MESSAGE_BYTES, lacksForListening } from "./deepgram-listen.js";
import type { GraphFacts, GraphWiring, SocketFace } from "./face.js";

export const deepgramFlux: SocketFace = {
  name: "deepgram-flux",
  parseOptions: (options) => z.strictObject({}).parse(options),
  lacks: lacksForTurns,
  refusal: deepgramRefusal,
  messageBytes: LISTEN_MESSAGE_BYTES,
  negotiate(request) {
    try {
      const asked = fluxRequestOf(request);
      const setup = { request: asked, tuning: new TurnTuning(asked.graph), requestId: request.requestId };
      return {
        accepted: true,
        headers: deepgramHeaders(request),
        createCodec: () => new DeepgramFluxCodec(setup),
        ...deepgramSubprotocol(request),
      };
    } catch (error) {
      return deepgramRefused(toSyrinxError(error), request);
    }
  },
};

/** The recogniser must hear of turns: it says which turn each word belongs to. */
function lacksForTurns(graph: GraphFacts, wiring: GraphWiring): string | undefined {
  const lacking = lacksForListening(graph, wiring);
  if (lacking !== undefined) return lacking;
  const stt = graph.nodes.find(({ actor }) => actor === "stt");
  const isInLine = stt !== undefined && wiring.reaches.get(stt.name)?.has("turn") === true;
  if (isInLine && wiring.tells.has("turn")) return undefined;
  return `graph ${graph.name} has no turns in front of its recogniser: it needs vad → turn → stt as outputs`;
}
