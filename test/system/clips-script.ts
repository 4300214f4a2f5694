/** `npm run clips`: every recording beside the checkout, recognised, said in real time, and heard by two VADs. */
import { agreement, type Clip, clipPaths, pacedClip, readClip, recogniseClip, startClips } from "./clips-run.js";

const paths = clipPaths();
if (paths === undefined) {
  console.log("There are no recordings in ../shared/audio: nothing to do.");
} else {
  const clips = await Promise.all(paths.map(readClip));
  const runtime = await startClips();
  const faults: string[] = [];
  const attempt = async (what: string, clip: Clip, work: () => Promise<string>): Promise<string> => {
    try {
      return await work();
    } catch (error) {
      faults.push(`${what} ${clip.name}: ${String(error)}`);
      return "(fault)";
    }
  };
  console.log("clip                                       s    starter  silero  agreed  transcript");
  let weighted = 0;
  let total = 0;
  const fast = new Map<string, string>();
  for (const clip of clips) {
    const text = await attempt("recognise", clip, () => recogniseClip(runtime, clip));
    fast.set(clip.name, text);
    const { seconds, ours, silero, agreed } = await agreement(runtime, clip);
    weighted += agreed * seconds;
    total += seconds;
    const numbers = [seconds.toFixed(1).padStart(6), ours.toFixed(2).padStart(8), silero.toFixed(2).padStart(8)];
    const share = `${(100 * agreed).toFixed(1).padStart(6)}%`;
    console.log(`${clip.name.slice(0, 38).padEnd(38)} ${numbers.join(" ")} ${share}  ${text.slice(0, 90)}`);
  }
  console.log(`agreement over ${total.toFixed(0)} s: ${((100 * weighted) / total).toFixed(2)}%`);
  const startMs = performance.now();
  const paced = await Promise.all(clips.map((clip) => attempt("paced", clip, () => pacedClip(runtime, clip))));
  const differing = clips.filter((clip, index) => paced[index] !== fast.get(clip.name));
  console.log(`${clips.length} paced calls at once in ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  console.log(`transcripts that differ from the fast run's: ${differing.map(({ name }) => name).join(", ") || "none"}`);
  console.log(`faults: ${faults.join("; ") || "none"}`);
  await runtime.drain();
  process.exitCode = faults.length === 0 ? 0 : 1;
}
