/** Many paced streams at once: what each costs the server, and how late its answers are. */
import { seeded } from "../../src/base/prng.js";
import { numberIn, type VariantParameters } from "../harness/bench.js";
import { Pacer, sleep } from "../harness/pace.js";
import { Numbers } from "../harness/statistics.js";
import { BenchClient, bytesOf, FRAME_MS, FRAME_SAMPLES, type Message } from "./clients.js";
import { BenchServer, HEARING } from "./server.js";

type FaceName = "deepgram" | "native";

const QUERY = "encoding=linear16&sample_rate=16000&interim_results=true";
const URLS: Readonly<Record<FaceName, (graph: string) => string>> = {
  deepgram: (graph) => `/${graph}/v1/listen?${QUERY}`,
  native: (graph) => `/v1/call?graph=${graph}`,
};

/** Milliseconds of audio that a transcript speaks of; undefined: it is none. */
const HEARD_MS: Readonly<Record<FaceName, (message: Message) => number | undefined>> = {
  deepgram: ({ type, start, duration }) =>
    type === "Results" ? Math.round(1000 * ((start as number) + (duration as number))) : undefined,
  native: ({ type, endMs }) => (type === "transcript" ? Math.round(endMs as number) : undefined),
};

/** Opens all, waits for each. */
async function connect(url: string, face: FaceName, count: number): Promise<BenchClient[]> {
  const clients: BenchClient[] = [];
  for (let index = 0; index < count; index++) {
    clients.push(
      await new Promise<BenchClient>((resolve) => {
        new BenchClient(url, (client) => {
          if (face === "native") client.send({ type: "configure", events: ["transcript"] });
          resolve(client);
        });
      }),
    );
  }
  return clients;
}

export async function streams(parameters: VariantParameters): Promise<Record<string, number>> {
  const count = numberIn(parameters, "streams");
  const face = parameters.face as FaceName;
  const server = await BenchServer.start(HEARING, count + 8);
  const chance = seeded(7);
  const frame = bytesOf(Int16Array.from({ length: FRAME_SAMPLES }, () => chance.integer(-20, 21)));
  // One call before the others, so that what all share is there.
  const [warm] = await connect(`${server.url}${URLS[face](String(parameters.graph))}`, face, 1);
  for (let index = 0; index < 50; index++) warm!.send(frame);
  await sleep(500);
  await warm!.close();
  const idle = await server.usage();
  const clients = await connect(`${server.url}${URLS[face](String(parameters.graph))}`, face, count);
  const lateMs = new Numbers();
  const startsMs = new Float64Array(count);
  for (const [index, client] of clients.entries()) {
    client.onMessage = (message) => {
      const heardMs = HEARD_MS[face](message);
      // Its last frame was appointed when that frame's audio began: nothing can be sent before it is recorded.
      if (heardMs !== undefined) lateMs.push(performance.now() - (startsMs[index]! + heardMs - FRAME_MS));
    };
  }
  const pacer = new Pacer(1, (tick, dueMs) => {
    for (let index = tick % FRAME_MS; index < count; index += FRAME_MS) {
      if (tick < FRAME_MS) startsMs[index] = dueMs;
      clients[index]!.send(frame);
    }
  });
  pacer.start();
  await sleep(numberIn(parameters, "warmMs"));
  lateMs.clear();
  pacer.latenessMs.clear();
  const before = await server.usage();
  const fromMs = performance.now();
  await sleep(numberIn(parameters, "measureMs"));
  const seconds = (performance.now() - fromMs) / 1000;
  const after = await server.usage();
  pacer.stop();
  for (const client of clients) client.check();
  const expected = Math.floor(seconds * 10 * count * 0.5);
  if (lateMs.count < expected) throw new Error(`${lateMs.count} answers instead of ${2 * expected}`);
  await Promise.all(clients.map((client) => client.close()));
  await server.stop();
  return {
    cpu: (after.cpuMs - before.cpuMs) / seconds / count,
    rss: Math.max(0, after.rssBytes - idle.rssBytes) / 1024 / count,
    p50: lateMs.quantile(0.5),
    p99: lateMs.quantile(0.99),
    answers: lateMs.count,
    lateness: pacer.latenessMs.quantile(0.99),
  };
}
