/** The three stages behind one face, so that the driver is the same for all. */
export interface Pipe {
  /** Copied before return. False: there was no room, as a worker had no processor for a while. */
  send(slot: number, pcm: Int16Array): boolean;
  /** The end of a tick's burst. */
  flush(): void;
  close(): Promise<void>;
}

/** A frame is back on main: PCM at `samples[offset … offset + count)`, valid until the function returns. */
export type Received = (slot: number, samples: Int16Array, offset: number, count: number) => void;

export type OpenPipe = (callCount: number, received: Received) => Promise<Pipe>;

export const FRAME_SAMPLES = 320;
export const FRAME_BYTES = 2 * FRAME_SAMPLES;
export const RING_BYTES = 4 * 1024 * 1024;

/** What a stage's worker is given. The first stage reads from main and writes to the second, the second back to main. */
export interface StageData {
  readonly kind: "post-message" | "ring" | "links";
  /** This stage's bell, and that of the thread it writes to. */
  readonly bell: SharedArrayBuffer;
  readonly nextBell: SharedArrayBuffer;
  readonly input: SharedArrayBuffer;
  readonly output: SharedArrayBuffer;
  /** Priority lanes; of links only. */
  readonly urgentInput: SharedArrayBuffer;
  readonly urgentOutput: SharedArrayBuffer;
  readonly isLast: boolean;
}
