/** Pipecat's `frames.proto`, as text, read by protobufjs's own parser: a second opinion on what stands on the wire. */
import protobuf from "protobufjs";

const PROTO = `
syntax = "proto3";
package pipecat;
message TextFrame { uint64 id = 1; string name = 2; string text = 3; }
message AudioRawFrame {
  uint64 id = 1; string name = 2; bytes audio = 3; uint32 sample_rate = 4; uint32 num_channels = 5; optional uint64 pts = 6;
}
message TranscriptionFrame { uint64 id = 1; string name = 2; string text = 3; string user_id = 4; string timestamp = 5; }
message MessageFrame { string data = 1; }
message InterruptionFrame { uint64 id = 1; string name = 2; }
message Frame {
  oneof frame {
    TextFrame text = 1; AudioRawFrame audio = 2; TranscriptionFrame transcription = 3; MessageFrame message = 4;
    InterruptionFrame interruption = 5;
  }
}`;

const Frame = protobuf.parse(PROTO).root.lookupType("pipecat.Frame");

/** Field names as in camel case of the `.proto`. */
export function wire(frame: object): Uint8Array {
  return Frame.encode(Frame.fromObject(frame)).finish();
}

export interface Unwired {
  readonly audio?: { readonly audio: Uint8Array; readonly sampleRate: number; readonly numChannels: number };
  readonly message?: { readonly data: string };
  readonly interruption?: object;
  readonly text?: { readonly text: string };
}

export function unwire(bytes: Uint8Array): Unwired {
  return Frame.toObject(Frame.decode(bytes), { longs: String }) as Unwired;
}

export function rtviFrame(type: string, data?: unknown, id = "m1"): Uint8Array {
  return wire({ message: { data: JSON.stringify({ label: "rtvi-ai", type, id, data }) } });
}

export interface Rtvi {
  readonly type: string;
  readonly id?: string;
  readonly data?: unknown;
}

/** The RTVI message in a frame; `undefined`: it holds another. */
export function rtviOf(bytes: Uint8Array): Rtvi | undefined {
  const { message } = unwire(bytes);
  if (message === undefined) return undefined;
  const { label, ...rest } = JSON.parse(message.data) as Rtvi & { readonly label: string };
  if (label !== "rtvi-ai") throw new Error(`the label is ${label}`);
  return rest;
}

export function audioFrame(pcm: Int16Array, sampleRate = 16_000, numChannels = 1): Uint8Array {
  const audio = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  return wire({ audio: { id: 0, name: "audio", audio, sampleRate, numChannels } });
}
