/**
 * The engine of voices that say one frame after another: a step gives the next frame's latent, a codec turns latents into
 * audio. Audio leaves after the first frame; then the codec is given more frames at a time, which costs less for each.
 */

/** One text on its way. Both keep their own state from call to call. */
export interface FrameSource {
  /** The next frame; undefined once all is said. */
  next(): Promise<Float32Array | undefined>;
  /** Audio of the frames that follow those decoded before. */
  decode(latents: readonly Float32Array[]): Promise<Float32Array>;
}

/** Frames that the codec is given at once, at most. */
const DECODED_FRAMES_MAX = 8;

/** Speaks until the source ends or `isStale`, which is asked before each step. */
export async function speakFrames(
  source: FrameSource,
  isStale: () => boolean,
  emit: (pcm: Float32Array) => void,
): Promise<void> {
  let wanted = 1;
  let latents: Float32Array[] = [];
  for (;;) {
    if (isStale()) return;
    const latent = await source.next();
    if (latent !== undefined) latents.push(latent);
    if (latents.length >= wanted || (latent === undefined && latents.length > 0)) {
      emit(await source.decode(latents));
      latents = [];
      wanted = Math.min(DECODED_FRAMES_MAX, 2 * wanted);
    }
    if (latent === undefined) return;
  }
}
