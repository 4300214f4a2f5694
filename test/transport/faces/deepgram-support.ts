import assert from "node:assert/strict";
import { isSyrinxError } from "../../../src/base/errors.js";
import type {
  Face,
  FaceCodec,
  FaceRequest,
  GraphFacts,
  Refused,
  ServerFacts,
} from "../../../src/transport/faces/face.js";

export const FACTS: ServerFacts = {
  name: "syrinx",
  version: "0",
  idleTimeoutMs: 300_000,
  messageBytes: 65_536,
  audioMessageBytes: 32_768,
  paceFactor: 2,
  paceBurstMs: 5_000,
};

export function graph(turn: Record<string, unknown> = { kind: "silence", endMs: 600 }): GraphFacts {
  return {
    name: "hear",
    takesAudio: true,
    takesText: false,
    takesQuestions: false,
    hasAgent: false,
    nodes: [
      { name: "ear", actor: "vad", options: {} },
      { name: "floor", actor: "turn", options: turn },
      { name: "scribe", actor: "stt", options: {}, model: { name: "ears", family: "starter-ctc", options: {} } },
    ],
  };
}

export function request(face: Face, query: string, more: Partial<FaceRequest> = {}): FaceRequest {
  return {
    requestId: "00000000-0000-4000-8000-000000000001",
    method: "GET",
    path: "/v1/listen",
    query: new URLSearchParams(query),
    headers: {},
    subprotocols: [],
    graph: "hear",
    graphs: ["hear"],
    facts: new Map([["hear", graph()]]),
    options: face.parseOptions({}),
    ...more,
  };
}

export async function codecOf(face: Face, query: string, more: Partial<FaceRequest> = {}): Promise<FaceCodec> {
  const outcome = face.negotiate!(request(face, query, more), FACTS);
  assert.ok(outcome.accepted, outcome.accepted ? "" : outcome.error.message);
  const codec = outcome.createCodec();
  await codec.ready;
  return codec;
}

export function refusalOf(face: Face, query: string): NonNullable<Refused["http"]> {
  const outcome = face.negotiate!(request(face, query), FACTS);
  assert.ok(!outcome.accepted, query);
  return outcome.http!;
}

export const text = (value: unknown): Uint8Array =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

/** Decodes whatever comes; anything thrown but a coded error fails the test. */
export function decodeAny(codec: FaceCodec, data: Uint8Array, isBinary: boolean): string {
  try {
    return codec
      .decode(data, isBinary)
      .map((message) => message.type)
      .join(" ");
  } catch (error) {
    assert.ok(isSyrinxError(error), String(error));
    return error.code;
  }
}
