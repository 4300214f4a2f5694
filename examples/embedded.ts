/**
 * A voice agent inside your own process: no server, no socket. Build, then:
 *
 *   node dist/examples/embedded.js samples/question.wav
 */
import { readFile } from "node:fs/promises";
import { createRuntime } from "syrinx";

const runtime = await createRuntime("configs/assistant.yaml");
const call = await runtime.open("assistant");

// Any source of 16 kHz mono 16-bit PCM will do; here, a WAV file with its 44-byte header cut off, as fast as it goes.
const wav = await readFile(process.argv[2] ?? "samples/question.wav");
const pcm = new Int16Array(wav.buffer.slice(wav.byteOffset + 44, wav.byteOffset + wav.length));
call.write(pcm);
call.write(new Int16Array(16_000)); // a second of silence ends the turn

let sampleCount = 0;
for await (const event of call) {
  if (event.type === "transcript" && event.final) console.log("heard:", event.text);
  if (event.type === "text") console.log("says: ", event.text);
  if (event.type === "audio") sampleCount += event.pcm.length;
  if (event.type === "receipt") console.log(`first audio ${event.totalMs} ms after the end of speech`);
  if (event.type === "reply" && event.what === "end") break;
}
console.log(`${(sampleCount / 16_000).toFixed(1)} s of audio`);
await call.close();
await runtime.drain();
