/**
 * Question: what does a frame cost on its way through three stages, by the rings and by `postMessage`?
 *
 *     main ──640 B──► worker 1 ──640 B──► worker 2 ──640 B──► main        600 calls × 50 frames a second
 *
 *     post-message   each arrow is one `postMessage` of { slot, pcm }, cloned; a channel between the workers
 *     ring           each arrow is a ring: one flush and one bell per burst; workers sleep in a futex, main on a port
 *     links          as `ring`, by the runtime's own OutLink and InLink, frame encoding included
 *     runtime        the whole runtime: `call.write`, two workers' actor loops, sequence numbers, statistics, an `audio`
 *                    event per frame on main with its own copy of the samples
 *     generator      no stages: what making, timing and checking the frames costs
 *
 * All calls are spread evenly over the 20 ms of a frame; main ticks each millisecond on an absolute schedule, so a burst
 * is 30 frames. CPU is that of all threads of the process, per frame that went all the way. The bar counts the generator
 * in, as a server's sockets would be; the rows without it compare the transports alone. A burst of one frame is measured
 * beside it: three wake-ups and the timer, which cost the same either way and are most of what is left to the rings.
 * Latency counts from the appointed time. Every frame carries its number and a check word, and main verifies both: lost,
 * doubled, reordered or torn frames fail the bench.
 *
 * What it is not: a measure of throughput at saturation, or of the workers' real work, which costs ten times as much.
 */
import {
  type Bench,
  type BenchContext,
  type Figure,
  numberIn,
  numberOf,
  type Sample,
  type Variant,
} from "./harness/bench.js";
import { alternate, figure } from "./harness/figures.js";
import { Pacer, sleep } from "./harness/pace.js";
import { openLinksPipe } from "./ring-pipes/links-pipe.js";
import { openNoPipe } from "./ring-pipes/no-pipe.js";
import type { OpenPipe } from "./ring-pipes/pipe.js";
import { openPostMessagePipe } from "./ring-pipes/post-message-pipe.js";
import { openRingPipe } from "./ring-pipes/ring-pipe.js";
import { openRuntimePipe } from "./ring-pipes/runtime-pipe.js";
import { Traffic } from "./ring-pipes/traffic.js";

const FRAME_MS = 20;

function measured(open: OpenPipe): Variant {
  return async (parameters): Promise<Sample> => {
    const callCount = numberIn(parameters, "calls");
    const traffic = new Traffic(callCount);
    const pipe = await open(callCount, traffic.received);
    const pacer = new Pacer(1, (tick, dueMs) => {
      for (let slot = tick % FRAME_MS; slot < callCount; slot += FRAME_MS) {
        if (!pipe.send(slot, traffic.next(slot, dueMs))) traffic.refused(slot);
      }
      pipe.flush();
    });
    pacer.start();
    await sleep(numberIn(parameters, "warmMs"));
    traffic.latencyMs.clear();
    pacer.latenessMs.clear();
    const framesBefore = traffic.receivedCount;
    const cpuBefore = process.cpuUsage();
    await sleep(numberIn(parameters, "measureMs"));
    const { user, system } = process.cpuUsage(cpuBefore);
    const frames = traffic.receivedCount - framesBefore;
    const refused = (100 * traffic.refusedCount) / (traffic.refusedCount + traffic.sentCount);
    const latency = { p50: traffic.latencyMs.quantile(0.5), p99: traffic.latencyMs.quantile(0.99) };
    const lateness = pacer.latenessMs.quantile(0.99);
    pacer.stop();
    for (let waits = 0; waits < 200 && traffic.receivedCount < traffic.sentCount; waits++) await sleep(10);
    await pipe.close();
    traffic.assertComplete();
    return { cpuUs: (user + system) / frames, p50Ms: latency.p50, p99Ms: latency.p99, latenessMs: lateness, refused };
  };
}

const VARIANTS = {
  generator: measured(openNoPipe),
  "post-message": measured(openPostMessagePipe),
  ring: measured(openRingPipe),
  links: measured(openLinksPipe),
  runtime: measured(openRuntimePipe),
};

type Name = keyof typeof VARIANTS;
const BAR = { of: "ratio", must: "be at least", bar: 3.5, aim: 5 } as const;

export const ringBench: Bench = {
  name: "ring",
  variants: VARIANTS,
  async run(context: BenchContext): Promise<readonly Figure[]> {
    const size = context.isSmoke
      ? { calls: 2 * FRAME_MS, warmMs: 50, measureMs: 100 }
      : { calls: 600, warmMs: 1_000, measureMs: 2_000 };
    const names = Object.keys(VARIANTS) as Name[];
    const repeats = context.isSmoke ? 1 : 5;
    const samples = await alternate(context, names, repeats, size);
    const sparse = await alternate(context, ["post-message", "links"], repeats, { ...size, calls: FRAME_MS });
    const of = (variant: Name, key: string): number[] => samples[variant].map((sample) => numberOf(sample, key));
    const generatorUs = of("generator", "cpuUs");
    const net = (variant: Name): number[] => of(variant, "cpuUs").map((cpuUs, index) => cpuUs - generatorUs[index]!);
    const transport = (variant: Name, what: string) => {
      const metric = `CPU per frame, ${what}, less the generator`;
      return { bench: ringBench, metric, unit: "µs", values: net(variant), baselines: net("post-message") } as const;
    };
    const compared = (variant: Name, metric: string, unit: string, key: string) =>
      ({ bench: ringBench, metric, unit, values: of(variant, key), baselines: of("post-message", key) }) as const;
    const lone = (variant: "post-message" | "links"): number[] =>
      sparse[variant].map((sample) => numberOf(sample, "cpuUs"));
    const loneFrame = { metric: "CPU of a burst of one frame, the runtime's links", unit: "µs" } as const;
    return [
      figure({ ...compared("links", "CPU per frame, the runtime's links", "µs", "cpuUs"), bar: BAR }),
      figure({ ...compared("ring", "CPU per frame, bare rings", "µs", "cpuUs"), bar: BAR }),
      figure(compared("runtime", "CPU per frame, the whole runtime", "µs", "cpuUs")),
      figure(transport("links", "the runtime's links")),
      figure(transport("ring", "bare rings")),
      figure(transport("runtime", "the whole runtime")),
      figure({ bench: ringBench, ...loneFrame, values: lone("links"), baselines: lone("post-message") }),
      figure(compared("ring", "latency p50, rings", "ms", "p50Ms")),
      figure(compared("ring", "latency p99, rings", "ms", "p99Ms")),
      figure(compared("runtime", "latency p50, the whole runtime", "ms", "p50Ms")),
      figure(compared("runtime", "latency p99, the whole runtime", "ms", "p99Ms")),
      figure({
        bench: ringBench,
        metric: "frames refused, the whole runtime",
        unit: "%",
        values: of("runtime", "refused"),
      }),
      figure(compared("ring", "lateness p99 of the generator", "ms", "latenessMs")),
    ];
  },
};
