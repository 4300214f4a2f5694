/** Shows a conversation: as lines for a person, with partials growing in place, or as JSON lines for a program. */
import { styleText } from "node:util";
import type { CallEvent } from "../frames/events.js";
import { waterfallLines } from "./waterfall.js";

export interface TalkView {
  show(event: CallEvent): void;
  note(text: string): void;
}

export function jsonView(write: (line: string) => void): TalkView {
  return {
    show(event) {
      const shown = event.type === "audio" ? { ...event, pcm: undefined, sampleCount: event.pcm.length } : event;
      write(`${JSON.stringify(shown)}\n`);
    },
    note() {},
  };
}

export function terminalView(stream: NodeJS.WriteStream): TalkView {
  const { paint, line, growing } = terminalWriter(stream);
  let reply = "";
  let audioMs = 0;
  let announcedAudio = false;
  const at = (ms: number): string => paint("dim", `${(ms / 1000).toFixed(2).padStart(6)} s`);
  return {
    note: (text) => line(paint("dim", text)),
    show(event) {
      switch (event.type) {
        case "vad":
          line(`${at(event.atMs)}  ${event.what === "start" ? "speech begins" : "speech ends"}`);
          return;
        case "transcript":
          if (event.final) line(`${at(event.endMs)}  heard: ${paint("bold", event.text)}`);
          else growing(`${at(event.endMs)}  hears: ${event.text}`, "each");
          return;
        case "turn":
          if (event.what === "end") line(`${at(event.atMs)}  turn ${event.turnIndex + 1} ended (${event.trigger})`);
          return;
        case "text":
          reply += event.text;
          return;
        case "audio":
          if (!announcedAudio) line(`          says:  ${paint(["bold", "cyan"], reply)}`);
          announcedAudio = true;
          audioMs += (event.pcm.length * 1000) / event.rateHz;
          growing(`          audio: ${(audioMs / 1000).toFixed(2)} s`, "none");
          return;
        case "reply":
          if (event.what === "start") {
            reply = "";
            audioMs = 0;
            announcedAudio = false;
          } else {
            line(`          audio: ${(audioMs / 1000).toFixed(2)} s, reply ${event.reason ?? "ended"}`);
          }
          return;
        case "interrupted":
          line(`          interrupted after ${event.playedMs} ms`);
          return;
        case "error":
          line(`${paint("red", "error")}     ${event.message} (${event.code})\n          ${event.hint}`);
          return;
        case "receipt":
          line("");
          for (const text of waterfallLines(event)) line(text);
          line("");
          return;
        default:
          return;
      }
    },
  };
}

interface TerminalWriter {
  paint(style: Parameters<typeof styleText>[0], text: string): string;
  line(text: string): void;
  /** Written over by the next line. What is no terminal gets every state of it as a line, or none. */
  growing(text: string, inFile: "each" | "none"): void;
}

function terminalWriter(stream: NodeJS.WriteStream): TerminalWriter {
  const isLive = stream.isTTY === true;
  let inPlace = false;
  const line = (text: string): void => {
    if (inPlace) stream.write("\r\x1b[K");
    inPlace = false;
    stream.write(`${text}\n`);
  };
  return {
    paint: (style, text) => (isLive ? styleText(style, text) : text),
    line,
    growing(text, inFile) {
      if (!isLive) {
        if (inFile === "each") line(text);
        return;
      }
      // One terminal line: a longer text shows its end, which is what is new.
      const width = (stream.columns ?? 80) - 1;
      stream.write(`\r\x1b[K${text.length > width ? `…${text.slice(-(width - 1))}` : text}`);
      inPlace = true;
    },
  };
}
