/**
 * Pipecat's protobuf frames: one WebSocket message is one `Frame`. The schema is that of `frames.proto` in Pipecat
 * (package `pipecat`, proto3), written down as data; reading and writing the bytes is protobufjs's business. As proto3
 * has it, unknown fields are skipped and absent ones are zero or empty.
 */
import protobuf from "protobufjs/light.js";
import { SyrinxError } from "../../base/errors.js";

const id = { type: "uint64", id: 1 };
const name = { type: "string", id: 2 };

const { pipecat } = protobuf.Root.fromJSON({
  nested: {
    pipecat: {
      edition: "proto3",
      nested: {
        TextFrame: { fields: { id, name, text: { type: "string", id: 3 } } },
        AudioRawFrame: {
          fields: {
            id,
            name,
            audio: { type: "bytes", id: 3 },
            sampleRate: { type: "uint32", id: 4 },
            numChannels: { type: "uint32", id: 5 },
            pts: { type: "uint64", id: 6 },
          },
        },
        TranscriptionFrame: {
          fields: {
            id,
            name,
            text: { type: "string", id: 3 },
            userId: { type: "string", id: 4 },
            timestamp: { type: "string", id: 5 },
          },
        },
        MessageFrame: { fields: { data: { type: "string", id: 1 } } },
        InterruptionFrame: { fields: { id, name } },
        Frame: {
          oneofs: { frame: { oneof: ["text", "audio", "transcription", "message", "interruption"] } },
          fields: {
            text: { type: "TextFrame", id: 1 },
            audio: { type: "AudioRawFrame", id: 2 },
            transcription: { type: "TranscriptionFrame", id: 3 },
            message: { type: "MessageFrame", id: 4 },
            interruption: { type: "InterruptionFrame", id: 5 },
          },
        },
      },
    },
  },
}).nested as { readonly pipecat: protobuf.Namespace };

const NO_BYTES = new Uint8Array(0);
const Frame = pipecat.lookupType("Frame");

/** Little-endian s16, the channels' samples in turn. */
export interface AudioRaw {
  readonly audio: Uint8Array;
  readonly sampleRate: number;
  readonly numChannels: number;
}

/** What a client can send. Ids, names and presentation times mean nothing to us. */
export type InFrame =
  | { readonly kind: "text" | "transcription"; readonly text: string }
  | ({ readonly kind: "audio" } & AudioRaw)
  | { readonly kind: "message"; readonly data: string }
  | { readonly kind: "interruption" };

interface DecodedFrame {
  /** Name of the field that is set; absent if none is, or one that is not known here. */
  readonly frame?: "text" | "audio" | "transcription" | "message" | "interruption";
  readonly text: { readonly text: string };
  readonly audio: AudioRaw;
  readonly transcription: { readonly text: string };
  readonly message: { readonly data: string };
}

/** Bytes may be looked at in place: valid as long as `bytes` is. `undefined`: a frame of a kind that is not known. Throws PROTOCOL_PROTOBUF. */
export function decodeFrame(bytes: Uint8Array): InFrame | undefined {
  let decoded: DecodedFrame;
  try {
    decoded = Frame.decode(bytes) as unknown as DecodedFrame;
  } catch (error) {
    throw new SyrinxError("PROTOCOL_PROTOBUF", { byteCount: bytes.byteLength }, error);
  }
  const kind = decoded.frame;
  if (kind === undefined) return undefined;
  switch (kind) {
    case "audio": {
      const { audio, sampleRate, numChannels } = decoded.audio;
      // The library's stand-in for absent bytes is an array.
      return { kind, audio: audio.length === 0 ? NO_BYTES : audio, sampleRate, numChannels };
    }
    case "message":
      return { kind, data: decoded.message.data };
    case "interruption":
      return { kind };
    default:
      return { kind, text: decoded[kind].text };
  }
}

/** An `AudioRawFrame` of one channel. The samples are copied. */
export function encodeAudio(id: number, pcm: Int16Array, sampleRate: number): Uint8Array {
  const audio = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  return encode({ audio: { id, name: "audio", audio, sampleRate, numChannels: 1 } });
}

/** A `MessageFrame`: an RTVI message. */
export function encodeMessage(message: object): Uint8Array {
  return encode({ message: { data: JSON.stringify(message) } });
}

/** An `InterruptionFrame`: whoever plays our audio drops what it still holds. */
export function encodeInterruption(id: number): Uint8Array {
  return encode({ interruption: { id, name: "interruption" } });
}

function encode(frame: object): Uint8Array {
  return Frame.encode(frame as protobuf.Message).finish();
}
