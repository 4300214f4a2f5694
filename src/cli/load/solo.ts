/** Before the load: one call alone says each recording once. It tells what the server answers with, and in which words. */
import { SyrinxError } from "../../base/errors.js";
import { seeded } from "../../base/prng.js";
import { FRAME_MS, FRAME_SAMPLES } from "../../base/units.js";
import { type Answer, Caller, type CallerSpec } from "./caller.js";
import type { DialOptions, LoadCall, LoadDriver, LoadEvent, LoadListener } from "./driver.js";
import { FrameSchedule, type LoadClock } from "./frame-schedule.js";
import type { Recording } from "./recordings.js";
import { Requester } from "./requester.js";
import { heardIn, type SoloTexts } from "./result.js";
import type { TurnTrace } from "./trace.js";

export interface Solo {
  readonly answer: Answer;
  readonly texts: SoloTexts;
  readonly turns: readonly TurnTrace[];
}

export interface SoloSpec {
  readonly driver: LoadDriver;
  readonly dial: DialOptions;
  readonly recordings: readonly Recording[];
  readonly clock: LoadClock;
  readonly answerMs: number;
}

/** Without a sign of a turn or a reply so long after the speech, the server only listens. */
const LISTENER_MS = 3_000;
const PAUSE_MS = 400;

/** Throws LOAD_NO_ANSWER if nothing comes back, and LOAD_CALL_REFUSED. */
export async function soloOf(spec: SoloSpec): Promise<Solo> {
  const { driver, recordings, dial } = spec;
  const answer = driver.input === "audio" ? await answerOf(spec) : "reply";
  const left = [...recordings];
  const turns: TurnTrace[] = [];
  const schedule = new FrameSchedule(spec.clock);
  let hear: LoadListener = () => {};
  let trouble: string | undefined;
  const call = await driver.open(dial, (event, atMs) => {
    if (event.type === "error") trouble = `${event.code}: ${event.message}`;
    hear(event, atMs);
  });
  await new Promise<void>((resolve) => {
    const caller: CallerSpec = {
      call: 0,
      prng: seeded(1),
      answer,
      bargeIn: 0,
      finalize: 0,
      answerMs: spec.answerMs,
      pauseMs: () => PAUSE_MS,
      nextRecording: () => left.shift(),
      onTurn: (turn) => turns.push(turn),
      onDone: resolve,
    };
    if (driver.input === "audio") {
      let talker: Caller | undefined;
      const startMs = schedule.add({ sendFrame: (frame, dueMs) => talker!.sendFrame(frame, dueMs) });
      talker = new Caller(caller, call, startMs);
      hear = talker.onEvent;
    } else hear = new Requester(caller, call, driver.input, schedule, spec.clock).onEvent;
  });
  schedule.stop();
  hear = () => {};
  await call.close();
  if (!turns.some(({ outcome }) => outcome === "answered")) throw noAnswer(spec, trouble);
  const heard = turns.filter(({ speech, outcome }) => speech !== undefined && outcome === "answered");
  return { answer, turns, texts: new Map(heard.map(({ speech }) => [speech!.recording.name, heardIn(speech!)])) };
}

/** Says the first recording, and sees what comes back. */
async function answerOf(spec: SoloSpec): Promise<Answer> {
  const { driver, dial, clock, recordings, answerMs } = spec;
  const seen = new Set<LoadEvent["type"]>();
  let trouble: string | undefined;
  const call = await driver.open(dial, (event) => {
    seen.add(event.type);
    if (event.type === "error") trouble = `${event.code}: ${event.message}`;
  });
  const { pcm, speechEndMs } = recordings[0]!;
  const schedule = new FrameSchedule(clock);
  const silence = new Int16Array(FRAME_SAMPLES);
  await new Promise<void>((resolve) => {
    schedule.add({
      sendFrame(frame) {
        const sinceSpeechMs = frame * FRAME_MS - speechEndMs;
        const isConversation = seen.has("reply_start") || seen.has("turn_end");
        const patienceMs = isConversation ? answerMs : LISTENER_MS;
        const isOver = sinceSpeechMs > 0 && (seen.has("reply_end") || sinceSpeechMs > patienceMs);
        if (isOver || seen.has("close")) {
          resolve();
          return false;
        }
        const at = frame * FRAME_SAMPLES;
        send(call, at < pcm.length ? pcm.subarray(at, at + FRAME_SAMPLES) : silence);
        return true;
      },
    });
  });
  schedule.stop();
  await call.close();
  if (seen.has("reply_start") || seen.has("reply_text")) return "reply";
  if (seen.has("final")) return "transcript";
  if (seen.has("audio")) return "echo";
  throw noAnswer(spec, trouble);
}

function send(call: LoadCall, pcm: Int16Array): void {
  call.send?.(pcm);
}

/** With the server's own words, if it had any. */
function noAnswer({ dial, answerMs, recordings }: SoloSpec, trouble: string | undefined): SyrinxError {
  if (trouble !== undefined) return new SyrinxError("LOAD_CALL_REFUSED", { address: dial.url, reason: trouble });
  return new SyrinxError("LOAD_NO_ANSWER", { url: dial.url, recording: recordings[0]!.name, waitedMs: answerMs });
}
