import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { CallEvent } from "../../src/frames/events.js";
import type { Call } from "../../src/runtime/api.js";
import { createRuntime, type RuntimeImpl } from "../../src/runtime/runtime.js";
import { createLogger } from "../../src/telemetry/index.js";
import { type Answer, beginStream, event, LlmStub, says } from "../support/llm-stub.js";
import { eventsUntil } from "../support/runtimes.js";
import { joined, RawClient, readSample, silence, startCli, TIMER_TEXT } from "../support/system.js";

const KEY = "sk-test-0123456789abcdef";
const FALLBACK = "Sorry, I cannot think right now.";

const chain = (llm: object, more: object = {}) => [
  { vad: { model: "vad" } },
  { turn: { endMs: 300 } },
  { stt: { model: "ears" } },
  { agent: { llm, ...more } },
  { tts: { model: "voice" } },
];

const configOf = (baseUrl: string, deadUrl: string) => {
  const llm = { kind: "openai", baseUrl, model: "stub", apiKeyEnv: "STUB_KEY", firstTokenMs: 400, totalMs: 1_500 };
  return {
    version: 1,
    server: { maxCalls: 8 },
    models: {
      vad: { family: "starter-vad" },
      ears: { family: "starter-ctc", device: "cpu" },
      voice: { family: "flite" },
    },
    graphs: {
      agent: chain(llm, { systemPrompt: "Be brief." }),
      patient: chain(llm, { fallbackText: FALLBACK }),
      lost: chain({ ...llm, baseUrl: deadUrl }),
      echo: chain({ kind: "echo" }),
    },
  };
};

describe("an agent with an OpenAI-compatible endpoint", { timeout: 60_000 }, () => {
  let stub: LlmStub;
  let runtime: RuntimeImpl;
  let question: Int16Array;
  const logLines: string[] = [];
  const everything: CallEvent[] = [];

  before(async () => {
    process.env.STUB_KEY = KEY;
    stub = await LlmStub.start(says("It is sunny."));
    const timer = await readSample("timer.wav");
    question = joined(timer, silence(500));
    const logger = createLogger({ level: "debug", stream: { write: (line) => void logLines.push(line) } });
    runtime = await createRuntime(configOf(stub.baseUrl, await LlmStub.deadUrl()), { logger });
  });

  after(async () => {
    delete process.env.STUB_KEY;
    await runtime.drain();
    await stub.stop();
  });

  /** One turn: from the question to the end of the reply. */
  async function turn(call: Call): Promise<CallEvent[]> {
    call.write(question);
    const events = await eventsUntil(call, (event) => event.type === "reply" && event.what === "end");
    everything.push(...events);
    return events;
  }

  async function turnOf(graph: string, answer: Answer): Promise<CallEvent[]> {
    stub.answer = answer;
    const call = await runtime.open(graph);
    const events = await turn(call);
    await call.close();
    return events;
  }

  const textOf = (events: readonly CallEvent[]): string =>
    events.map((event) => (event.type === "text" ? event.text : "")).join("");
  const codesOf = (events: readonly CallEvent[]): string[] =>
    events.flatMap((event) => (event.type === "error" ? [event.code] : []));
  const reasonOf = (events: readonly CallEvent[]): string | undefined => {
    const last = events.at(-1)!;
    return last.type === "reply" ? last.reason : undefined;
  };
  const audioMs = (events: readonly CallEvent[]): number =>
    events.reduce((sum, event) => sum + (event.type === "audio" ? (event.pcm.length * 1000) / event.rateHz : 0), 0);

  test("asks with the system's words, what was heard and the key, and speaks what streams in", async () => {
    const events = await turnOf("agent", says("It is sunny. Take a hat!"));
    assert.equal(textOf(events), "It is sunny. Take a hat!");
    assert.equal(reasonOf(events), "completed");
    assert.ok(audioMs(events) > 1_000);
    const asked = stub.requests.at(-1)!;
    assert.deepEqual(asked.messages, [
      { role: "system", content: "Be brief." },
      { role: "user", content: TIMER_TEXT },
    ]);
    assert.equal(asked.model, "stub");
    assert.equal(asked.stream, true);
    assert.equal(stub.authorizations.at(-1), `Bearer ${KEY}`);
  });

  test("sends the conversation so far with the second question", async () => {
    stub.answer = says("Ten minutes it is.");
    const call = await runtime.open("agent");
    await turn(call);
    // Heard to the end, so that the second question interrupts nothing.
    call.playback(0, 60_000);
    await turn(call);
    await call.close();
    assert.deepEqual(stub.requests.at(-1)!.messages.slice(1), [
      { role: "user", content: TIMER_TEXT },
      { role: "assistant", content: "Ten minutes it is." },
      { role: "user", content: TIMER_TEXT },
    ]);
  });

  const slow: Answer = async (_request, response) => {
    beginStream(response);
    response.flushHeaders();
    await new Promise((resolve) => response.on("close", resolve));
  };
  const faults: readonly (readonly [what: string, answer: Answer, code: string, spoken: string])[] = [
    ["answers HTTP 500", (_request, response) => void response.writeHead(500).end(KEY), "LLM_HTTP", ""],
    ["refuses the key", (_request, response) => void response.writeHead(401).end(`bad key ${KEY}`), "LLM_HTTP", ""],
    ["is slower than firstTokenMs", slow, "LLM_TIMEOUT", ""],
    [
      "is slower than totalMs after its first word",
      async (_request, response) => {
        beginStream(response);
        response.write(event("Well"));
        await new Promise((resolve) => response.on("close", resolve));
      },
      "LLM_TIMEOUT",
      "Well",
    ],
    [
      "streams garbage",
      (_request, response) => {
        beginStream(response);
        response.end(`data: {{{ ${KEY}\n\n`);
      },
      "LLM_GARBAGE",
      "",
    ],
    ["answers with a web page", (_request, response) => void response.end("<html>nginx</html>"), "LLM_GARBAGE", ""],
    [
      "reports an error in the stream",
      (_request, response) => {
        beginStream(response);
        response.end(`data: {"error":{"message":"${KEY}"}}\n\n`);
      },
      "LLM_GARBAGE",
      "",
    ],
    [
      "ends in the middle of a sentence",
      (_request, response) => {
        beginStream(response);
        response.end(event("It is"));
      },
      "LLM_GARBAGE",
      "It is",
    ],
    [
      "drops the connection in the middle of a sentence",
      (_request, response) => {
        beginStream(response);
        response.write(event("It is"), () => response.destroy());
      },
      "LLM_UNREACHABLE",
      "It is",
    ],
  ];

  for (const [what, answer, code, spoken] of faults) {
    test(`an endpoint that ${what} is ${code} in that call alone, and its next turn is answered`, async () => {
      const call = await runtime.open("agent");
      const other = await runtime.open("echo");
      stub.answer = answer;
      const [events, others] = await Promise.all([turn(call), turn(other)]);
      assert.deepEqual(codesOf(events), [code]);
      const error = events.find((event) => event.type === "error")!;
      assert.equal(error.fatal, false);
      assert.doesNotMatch(`${error.message} ${error.hint}`, /\{\w+\}/);
      assert.equal(reasonOf(events), "failed");
      assert.equal(textOf(events), spoken);
      assert.equal(textOf(others), `You said: ${TIMER_TEXT}.`);
      assert.equal(reasonOf(others), "completed");
      stub.answer = says("Back again.");
      call.playback(0, 60_000);
      const again = await turn(call);
      assert.equal(textOf(again), "Back again.");
      assert.equal(reasonOf(again), "completed");
      await Promise.all([call.close(), other.close()]);
    });
  }

  test("an endpoint that is down is LLM_UNREACHABLE, with where and why", async () => {
    const events = await turnOf("lost", says(""));
    assert.deepEqual(codesOf(events), ["LLM_UNREACHABLE"]);
    assert.match(events.find((event) => event.type === "error")!.message, /127\.0\.0\.1.*ECONNREFUSED/);
    assert.equal(reasonOf(events), "failed");
  });

  test("a configured fallback is spoken in the place of an answer", async () => {
    const events = await turnOf("patient", (_request, response) => void response.writeHead(503).end());
    assert.deepEqual(codesOf(events), ["LLM_HTTP"]);
    assert.equal(textOf(events), FALLBACK);
    assert.ok(audioMs(events) > 1_000);
  });

  test("an interruption gives the endpoint's connection up", async () => {
    const before = stub.abandonedCount;
    const call = await runtime.open("agent");
    let hang: () => void = () => {};
    const asked = new Promise<void>((resolve) => {
      hang = resolve;
    });
    const abandoned = new Promise<void>((resolve) => {
      stub.answer = async (_request, response) => {
        beginStream(response);
        response.write(event("Once upon a time"));
        response.on("close", resolve);
        hang();
      };
    });
    call.write(question);
    await asked;
    call.interrupt();
    await abandoned;
    assert.equal(stub.abandonedCount, before + 1);
    await call.close();
  });

  test("the key stands in no event and no log line", () => {
    assert.ok(everything.length > 100);
    const told = JSON.stringify(everything.filter((event) => event.type !== "audio"));
    assert.ok(!told.includes(KEY));
    assert.ok(logLines.length > 10);
    assert.ok(!logLines.join("").includes(KEY));
  });

  test("the key stands in no line that the server program prints, workers included", async () => {
    stub.answer = (_request, response) => void response.writeHead(401).end(`bad key ${KEY}`);
    const config = { ...configOf(stub.baseUrl, stub.baseUrl), server: { log: { level: "debug" } } };
    const file = join(mkdtempSync(join(tmpdir(), "syrinx-llm-")), "agent.yaml");
    writeFileSync(file, JSON.stringify(config));
    const serve = startCli(["serve", file, "--port", "0", "--json"]);
    await serve.until(({ stdout }) => stdout.includes("\n"));
    const { url } = JSON.parse(serve.stdout) as { url: string };
    const client = await RawClient.connect(url, "graph=agent");
    client.pcm(question);
    await client.untilType("error");
    assert.deepEqual(client.errors(), ["LLM_HTTP"]);
    await client.close();
    serve.child.kill("SIGTERM");
    const { code, stdout, stderr } = await serve.finished;
    assert.equal(code, 0);
    assert.ok(stderr.split("\n").length > 5);
    assert.ok(!`${stdout}${stderr}`.includes(KEY));
    rmSync(dirname(file), { recursive: true });
  });
});
