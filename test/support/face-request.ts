import type { FaceRequest, GraphFacts, ServerFacts } from "../../src/transport/faces/face.js";

export const SERVER_FACTS: ServerFacts = {
  name: "syrinx",
  version: "1.2.3",
  idleTimeoutMs: 1000,
  messageBytes: 65_536,
  audioMessageBytes: 32_768,
  paceFactor: 2,
  paceBurstMs: 5000,
};

const node = (actor: "stt" | "tts", family: string, options: unknown = {}): GraphFacts["nodes"][number] => ({
  name: actor,
  actor,
  options: {},
  model: { name: actor === "stt" ? "ears" : "voice", family, options },
});

function graph(name: string, of: GraphFacts["nodes"][number]): GraphFacts {
  return {
    name,
    takesAudio: of.actor === "stt",
    takesText: of.actor === "tts",
    hasAgent: false,
    takesQuestions: false,
    nodes: [of],
  };
}

/** A graph that speaks, one that transcribes and one that translates. */
export const GRAPHS: ReadonlyMap<string, GraphFacts> = new Map(
  [
    graph("speak", node("tts", "flite")),
    graph("listen", node("stt", "starter-ctc")),
    graph("translate", node("stt", "whisper", { task: "translate" })),
  ].map((facts) => [facts.name, facts]),
);

/** A request as a face sees it. */
export function faceRequest(more: Partial<FaceRequest>): FaceRequest {
  return {
    requestId: "00000000-0000-4000-8000-000000000001",
    method: "POST",
    path: "/",
    query: new URLSearchParams(),
    headers: {},
    subprotocols: [],
    graph: "speak",
    graphs: [...GRAPHS.keys()],
    facts: GRAPHS,
    options: {},
    ...more,
  };
}
