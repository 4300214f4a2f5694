import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { agentActor } from "../../src/actors/agent.js";
import { createLlm, llmOptions } from "../../src/actors/llm/registry.js";
import type { SyrinxError } from "../../src/base/errors.js";
import { frame, type MetaOf } from "../../src/frames/kinds.js";
import { ActorRun, type Step } from "../support/run-actor.js";
import { fence } from "../support/steps.js";

const KEY = "sk-very-secret";
const ENVIRONMENT = { LLM_KEY: KEY };

/** What the server does with the next request, by the model's name. */
type Answer = (response: ServerResponse, request: IncomingMessage) => void;

function chunk(content: string | null, finish: string | null = null): string {
  return `data: ${JSON.stringify({ choices: [{ delta: { content }, finish_reason: finish }] })}\n\n`;
}

const ANSWERS: Record<string, Answer> = {
  good: (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const bytes = Buffer.from(
      `: hello\n\n${chunk("Grüß")}${chunk(null)}${chunk(" dich.")}${chunk(null, "stop")}data: [DONE]\n\n`,
    );
    // In the middle of a character and of a line.
    response.write(bytes.subarray(0, bytes.indexOf("ü") + 1));
    response.end(bytes.subarray(bytes.indexOf("ü") + 1));
  },
  refuses: (response) => response.writeHead(401).end(JSON.stringify({ error: `wrong key ${KEY}` })),
  prose: (response) => response.writeHead(200).end("<html>welcome</html>"),
  "not-json": (response) => response.writeHead(200).end("data: {oops\n\n"),
  "other-json": (response) => response.writeHead(200).end('data: {"choices": 7}\n\n'),
  "error-inside": (response) => response.writeHead(200).end(`data: {"error": {"message": "${KEY}"}}\n\n`),
  breaks: (response) => {
    response.writeHead(200);
    response.write(chunk("Well"), () => response.destroy());
  },
  "ends-early": (response) => response.writeHead(200).end(chunk("Well")),
  mute: () => {},
  stalls: (response) => {
    response.writeHead(200);
    response.write(chunk("Well"));
  },
  huge: (response) => {
    response.writeHead(200);
    response.end(`data: ${"x".repeat(2 ** 21)}\n\n`);
  },
};

const requests: { body: { model: string; messages: unknown; stream: boolean }; key: string | undefined }[] = [];
let server: Server;
let baseUrl: string;
/** Connections that their client left before the answer was complete, and who waits for one. */
let abandonedCount = 0;
let onAbandoned = (): void => {};

before(async () => {
  server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (part: string) => {
      text += part;
    });
    request.on("end", () => {
      const body = JSON.parse(text) as (typeof requests)[number]["body"];
      requests.push({ body, key: request.headers.authorization });
      response.on("close", () => {
        if (response.writableFinished) return;
        abandonedCount++;
        onAbandoned();
      });
      ANSWERS[body.model]!(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  baseUrl = `http://user:pass@127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

/** Does something and waits until a client has left its connection over it. */
async function abandons(act: () => Promise<void> | void): Promise<void> {
  const count = abandonedCount;
  const left = new Promise<void>((resolve) => {
    onAbandoned = resolve;
  });
  await act();
  if (abandonedCount === count) await left;
}

/** The address without credentials: fetch refuses those, and people should not have them in a file. */
const plainUrl = (): string => baseUrl.replace("user:pass@", "");

async function ask(model: string, over: Record<string, unknown> = {}, signal = new AbortController().signal) {
  const options = llmOptions.parse({ kind: "openai", baseUrl: plainUrl(), model, apiKeyEnv: "LLM_KEY", ...over });
  const pieces: string[] = [];
  const messages = [{ role: "user", content: "Hello" }] as const;
  for await (const piece of createLlm(options, ENVIRONMENT).stream({ messages, signal })) pieces.push(piece);
  return pieces;
}

async function failure(model: string, over: Record<string, unknown> = {}): Promise<SyrinxError> {
  const error = await ask(model, over).then(
    () => assert.fail(`${model} should fail`),
    (thrown: SyrinxError) => thrown,
  );
  assert.ok(!error.message.includes(KEY) && !error.hint.includes(KEY), "no message contains the key");
  return error;
}

describe("openai language model", () => {
  test("streams the pieces of an answer and sends key, model and messages", async () => {
    assert.deepEqual(await ask("good", { temperature: 0.5, maxTokens: 7 }), ["Grüß", " dich."]);
    const { body, key } = requests.at(-1)!;
    assert.equal(key, `Bearer ${KEY}`);
    assert.deepEqual(body, {
      model: "good",
      messages: [{ role: "user", content: "Hello" }],
      stream: true,
      max_tokens: 7,
      temperature: 0.5,
    });
  });

  test("sends no key if none is named, and refuses a named one that is not set", async () => {
    await ask("good", { apiKeyEnv: undefined });
    assert.equal(requests.at(-1)!.key, undefined);
    const options = llmOptions.parse({ kind: "openai", baseUrl: plainUrl(), model: "good", apiKeyEnv: "NOT_SET" });
    assert.throws(() => createLlm(options, ENVIRONMENT), { code: "LLM_KEY_MISSING" });
  });

  test("an HTTP error is LLM_HTTP with its status", async () => {
    const error = await failure("refuses");
    assert.equal(error.code, "LLM_HTTP");
    assert.match(error.message, /HTTP 401/);
  });

  test("whatever is not a stream of completions is LLM_GARBAGE", async () => {
    for (const model of ["prose", "not-json", "other-json", "error-inside", "ends-early", "huge"]) {
      assert.equal((await failure(model)).code, "LLM_GARBAGE", model);
    }
  });

  test("a connection that cannot be made or breaks is LLM_UNREACHABLE", async () => {
    assert.equal((await failure("breaks")).code, "LLM_UNREACHABLE");
    const closed = await failure("good", { baseUrl: "http://127.0.0.1:1/v1" });
    assert.equal(closed.code, "LLM_UNREACHABLE");
    assert.match(closed.message, /127\.0\.0\.1:1\/v1\/chat\/completions/);
  });

  test("a server that says nothing, or stops in the middle, is LLM_TIMEOUT", async () => {
    const mute = await failure("mute", { firstTokenMs: 30 });
    assert.equal(mute.code, "LLM_TIMEOUT");
    assert.match(mute.message, /first token within 30 ms/);
    const stalled = await failure("stalls", { totalMs: 60 });
    assert.match(stalled.message, /complete answer within 60 ms/);
  });

  test("an abort ends the answer without an error and leaves the connection", async () => {
    const controller = new AbortController();
    const options = llmOptions.parse({ kind: "openai", baseUrl: plainUrl(), model: "stalls" });
    const messages = [{ role: "user", content: "Hello" }] as const;
    const pieces: string[] = [];
    await abandons(async () => {
      for await (const piece of createLlm(options).stream({ messages, signal: controller.signal })) {
        pieces.push(piece);
        controller.abort();
      }
    });
    assert.deepEqual(pieces, ["Well"]);
  });
});

function question(text: string, call: number): Step[] {
  const words: MetaOf<"transcript.final">["words"] = [];
  const final = {
    segmentId: 0,
    turnIndex: 0,
    text,
    words,
    stableChars: 0,
    startSample: 0,
    endSample: 1,
    confidence: 1,
  };
  const end = { what: "end", turnIndex: 0, atSample: 0, confidence: 1, trigger: "timeout" } as const;
  return [
    { call, frame: frame("transcript.final", final) },
    { call, frame: frame("turn", end) },
    fence("done", "mark", call),
  ];
}

/** Waits for the loop's turns, not for time: ends when the fence behind the answer came out. */
async function untilFence(run: ActorRun, call: number): Promise<void> {
  while (run.of("fence", call).length === 0) await run.settle();
}

describe("agent with a language model behind a network", () => {
  const optionsOf = (model: string, over: Record<string, unknown> = {}): unknown => ({
    llm: { kind: "openai", baseUrl: plainUrl(), model, ...over },
    fallbackText: "Sorry.",
  });

  test("a failing model is an error of that call, a fallback is said, and the reply has failed", async () => {
    const run = new ActorRun(agentActor, optionsOf("ends-early"));
    await run.start();
    await run.play(question("Hello", 0));
    await untilFence(run, 0);
    const [error] = run.of("error");
    assert.equal(error!.meta.code, "LLM_GARBAGE");
    assert.equal(error!.meta.fatal, false);
    assert.deepEqual(
      run.of("text").map(({ meta }) => meta.text),
      ["Well", " Sorry."],
    );
    assert.equal(run.of("reply").at(-1)!.meta.reason, "failed");
  });

  test("an interruption aborts the request at once and answers the next turn in a new context", async () => {
    const run = new ActorRun(agentActor, optionsOf("stalls", { totalMs: 600_000, firstTokenMs: 120_000 }));
    await run.start();
    await run.play(question("Hello", 0));
    while (run.of("text").length === 0) await run.settle();
    run.calls[0]!.interrupt("speech");
    const meta = { reason: "speech", contextId: 0, playedMs: 300, spokenText: "Well" } as const;
    await abandons(() => run.play([{ frame: frame("interrupt", meta) }]));
    await untilFence(run, 0);
    assert.equal(run.of("reply").filter(({ meta: reply }) => reply.what === "end").length, 0);
    await run.play(question("Again", 0).slice(0, 2));
    while (run.of("text").length < 2) await run.settle();
    assert.equal(run.of("text")[1]!.meta.contextId, 1);
    assert.deepEqual(requests.at(-1)!.body.messages, [
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Well" },
      { role: "user", content: "Again" },
    ]);
    await run.stop();
  });

  test("a call that is gone leaves its connection, and nothing more is said", async () => {
    const run = new ActorRun(agentActor, optionsOf("stalls", { totalMs: 600_000, firstTokenMs: 120_000 }));
    await run.start();
    await run.play(question("Hello", 0));
    while (run.of("text").length === 0) await run.settle();
    await abandons(() => run.abort(0));
    await run.settle();
    assert.equal(run.emittedAfterClose, 0);
  });

  test("a worker that dies in the middle of an answer takes it back and answers anew", async () => {
    const run = new ActorRun(agentActor, optionsOf("stalls", { totalMs: 600_000, firstTokenMs: 120_000 }));
    await run.start();
    await run.play(question("Hello", 0));
    while (run.of("text").length === 0) await run.settle();
    ANSWERS.stalls = ANSWERS.good!;
    await run.kill();
    await untilFence(run, 0);
    assert.deepEqual(run.calls[0]!.interrupts, ["restart"]);
    assert.deepEqual(
      run.of("text").map(({ meta, generation }) => [meta.contextId, meta.text, generation]),
      [
        [0, "Well", 5],
        [1, "Grüß", 6],
        [1, " dich.", 6],
      ],
    );
    assert.equal(run.of("fence").length, 1);
  });

  test("one call's failure does not touch another's answer", async () => {
    const run = new ActorRun(agentActor, optionsOf("good"), { calls: 2 });
    await run.start();
    const good = ANSWERS.good!;
    let count = 0;
    ANSWERS.good = (response, request) => (count++ === 0 ? ANSWERS.refuses! : good)(response, request);
    await run.play([...question("Hello", 0), ...question("Hello", 1)]);
    await untilFence(run, 0);
    await untilFence(run, 1);
    ANSWERS.good = good;
    const reasons = [0, 1].map((call) => run.of("reply", call).at(-1)!.meta.reason);
    assert.deepEqual(reasons.toSorted(), ["completed", "failed"]);
  });
});
