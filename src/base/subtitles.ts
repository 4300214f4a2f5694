/** Words with times to subtitle files: SRT and WebVTT. Pure. */

/** A word of a transcript; events of calls have these fields. */
export interface TimedWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** A cue is one or two short lines: what fits on a screen and can be read while it is spoken. */
const CUE_CHARS_MAX = 72;
const CUE_MS_MAX = 6_000;
/** A pause this long begins a new cue. */
const CUE_PAUSE_MS = 800;

export interface Cue {
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
}

/** Groups words into cues, in order. */
export function cuesOf(words: readonly TimedWord[]): Cue[] {
  const cues: Cue[] = [];
  let open: TimedWord[] = [];
  const close = (): void => {
    if (open.length === 0) return;
    const text = open.map((word) => word.text).join(" ");
    cues.push({ startMs: open[0]!.startMs, endMs: open.at(-1)!.endMs, text });
    open = [];
  };
  let charCount = 0;
  for (const word of words) {
    const first = open[0];
    const last = open.at(-1);
    const isFull = charCount + word.text.length + 1 > CUE_CHARS_MAX;
    const isLong = first !== undefined && word.endMs - first.startMs > CUE_MS_MAX;
    const isPause = last !== undefined && word.startMs - last.endMs > CUE_PAUSE_MS;
    if (isFull || isLong || isPause) {
      close();
      charCount = 0;
    }
    open.push(word);
    charCount += word.text.length + 1;
  }
  close();
  return cues;
}

export function toSrt(words: readonly TimedWord[]): string {
  const cues = cuesOf(words).map(
    ({ startMs, endMs, text }, index) => `${index + 1}\n${clock(startMs, ",")} --> ${clock(endMs, ",")}\n${text}\n`,
  );
  return cues.join("\n");
}

export function toVtt(words: readonly TimedWord[]): string {
  const cues = cuesOf(words).map(
    ({ startMs, endMs, text }) => `${clock(startMs, ".")} --> ${clock(endMs, ".")}\n${escapeVtt(text)}\n`,
  );
  return ["WEBVTT\n", ...cues].join("\n");
}

/** `hh:mm:ss,mmm` of SRT, or with a point of WebVTT (https://www.w3.org/TR/webvtt1/). */
function clock(ms: number, separator: "," | "."): string {
  const whole = Math.max(0, Math.round(ms));
  const two = (value: number): string => String(value).padStart(2, "0");
  const seconds = Math.floor(whole / 1000);
  const fraction = String(whole % 1000).padStart(3, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${separator}${fraction}`;
}

function escapeVtt(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
