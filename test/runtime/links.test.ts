import assert from "node:assert/strict";
import { test } from "node:test";
import { createClock } from "../../src/base/clock.js";
import { Hub } from "../../src/runtime/hub.js";
import { InLink, lookAtAll } from "../../src/runtime/in-link.js";
import { createMesh } from "../../src/runtime/mesh.js";
import { chainPlan } from "../support/plans.js";

// A call's first frame may reach a worker through another worker, faster than main goes on to its next ring. If it came
// before the call's `open`, it would be taken for a stranger's and dropped.

const plan = chainPlan([
  { name: "first", actor: "test-relay", worker: 1 },
  { name: "second", actor: "test-relay", worker: 2 },
  { name: "third", actor: "test-relay", worker: 3 },
]);
const clock = createClock();

test("main publishes `open` to every worker before a data frame to any", () => {
  const hub = new Hub(plan, createMesh(plan, "links", clock.baseNs), clock);
  const published: string[] = [];
  for (const [worker, link] of hub.outbound) {
    for (const lane of ["priority", "data"] as const) {
      const ring = link[lane];
      const flush = ring.flush.bind(ring);
      ring.flush = () => {
        const any = flush();
        if (any) published.push(`${lane} ${worker}`);
        return any;
      };
    }
  }
  const call = { slot: 0, born: hub.words.open(0), receive: () => {}, sweep: () => {} };
  hub.admit(call);
  const open = { callId: "a", graph: "test", born: call.born, placement: [1, 2, 3], options: {} };
  for (const worker of [1, 2, 3]) hub.sendMeta(worker, call, undefined, "open", open);
  hub.sendMeta(1, call, 0, "close", {});
  hub.flush();
  hub.stop();
  assert.deepEqual(published, ["priority 1", "priority 2", "priority 3", "data 1"]);
});

test("a worker reads all data lanes' heads before any priority lane's", () => {
  const mesh = createMesh(plan, "links", clock.baseNs);
  const looked: string[] = [];
  const links = mesh.links
    .filter((link) => link.to === 2)
    .map((link) => {
      const end = new InLink(link);
      for (const lane of ["data", "priority"] as const) {
        end[lane].reader.refresh = () => {
          looked.push(lane);
          return 0;
        };
      }
      return end;
    });
  assert.ok(links.length >= 2, "from main and from another worker");
  assert.equal(lookAtAll(links), false);
  assert.deepEqual(looked, [...links.map(() => "data"), ...links.map(() => "priority")]);
});
