import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describePlan, ringPairs } from "../../src/config/index.js";
import { load } from "./fakes.js";

const { plan } = load(`version: 1
models:
  vad: { family: starter-vad }
  ears: { family: starter-ctc, replicas: 2 }
graphs:
  hear:
    - vad: { model: vad }
    - turn: { endMs: 500 }
    - stt: { model: ears, name: text }
`);

test("rings are those between threads with an edge, and main's with every worker", () => {
  const names = ["main", ...plan.workers.map((worker) => worker.name)];
  assert.deepEqual(
    ringPairs(plan).map(({ from, to, edges }) => `${names[from]}>${names[to]} ${edges.length}`),
    [
      "main>vad/0 1",
      "main>ears/0 0",
      "main>ears/1 0",
      "vad/0>main 2",
      "vad/0>ears/0 1",
      "vad/0>ears/1 1",
      "ears/0>main 1",
      "ears/1>main 1",
    ],
  );
});

describe("a plan", () => {
  test("as text tells nodes, workers, edges, rings, latency and routes", () => {
    assert.equal(
      describePlan(plan),
      `graph hear: takes audio.in; worst-case latency by design 850 ms
  nodes
    vad   vad with vad   on vad/0           250 ms
    turn  turn           on vad/0           500 ms
    text  stt with ears  on ears/0, ears/1  100 ms
  edges
    in → vad     ring, drop-newest   audio.in fence close
    vad → turn   same worker         audio.in vad fence close
    turn → text  ring, drop-newest   audio.in vad turn fence close
    vad → out    ring, block-source  vad
    turn → out   ring, block-source  turn
    text → out   ring, block-source  transcript.partial transcript.final fence close

workers
  main    main thread     sockets, call table, events
  vad/0   compute thread  owns the model vad           hear.vad, hear.turn
  ears/0  compute thread  owns the model ears          hear.text
  ears/1  compute thread  owns the model ears          hear.text

rings (a data and a priority ring each)
  main → vad/0    1 edge
  main → ears/0   control only
  main → ears/1   control only
  vad/0 → main    2 edges
  vad/0 → ears/0  1 edge
  vad/0 → ears/1  1 edge
  ears/0 → main   1 edge
  ears/1 → main   1 edge

routes
  /v1/call  native  hear, or ?graph=NAME`,
    );
  });

  test("as Mermaid has each node in its worker's box and each edge once", () => {
    const text = describePlan(plan, { format: "mermaid" });
    assert.match(text, /^flowchart LR\n/);
    assert.match(text, /subgraph g0w0\["vad\/0"\]\n {6}n0\["vad"\]\n {6}n1\["turn"\]\n {4}end/);
    assert.match(text, /n2\["text: stt"\]/);
    assert.match(text, /n0 -\.->\|"audio.in vad fence close"\| n1/);
    assert.match(text, /n1 -->\|"audio.in vad turn fence close"\| n2/);
    assert.equal(text.match(/-->\||-\.->\|/g)!.length, plan.edges.length);
    assert.equal(text.match(/^\s*subgraph /gm)!.length, text.match(/^\s*end$/gm)!.length);
  });

  test("as DOT is balanced and draws edges on one worker dashed", () => {
    const text = describePlan(plan, { format: "dot" });
    assert.match(text, /^digraph syrinx \{/);
    assert.match(text, /n0 -> n1 \[label="[^"]*", style=dashed\];/);
    assert.match(text, /n1 -> n2 \[label="[^"]*"\];/);
    assert.equal(text.match(/ -> /g)!.length, plan.edges.length);
    assert.equal(text.match(/\{/g)!.length, text.match(/\}/g)!.length);
  });
});
