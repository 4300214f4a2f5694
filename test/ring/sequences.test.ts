import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AssertionFailure } from "../../src/base/assert.js";
import { createEdgeSequencesBuffer, EdgeSequences, isAfter } from "../../src/ring/index.js";

describe("edge sequences", () => {
  test("keep one number for each end of each edge and slot, apart from all others", () => {
    const sequences = new EdgeSequences(createEdgeSequencesBuffer(3, 5), 3, 5);
    let value = 0;
    for (let edge = 0; edge < 3; edge++) {
      for (let slot = 0; slot < 5; slot++) {
        sequences.setCommittedOut(edge, slot, ++value);
        sequences.setCommittedIn(edge, slot, -value);
      }
    }
    value = 0;
    for (let edge = 0; edge < 3; edge++) {
      for (let slot = 0; slot < 5; slot++) {
        assert.equal(sequences.committedOut(edge, slot), ++value);
        assert.equal(sequences.committedIn(edge, slot), -value);
      }
    }
    sequences.reset(1, 2);
    assert.deepEqual([sequences.committedOut(1, 2), sequences.committedIn(1, 2)], [0, 0]);
    assert.deepEqual([sequences.committedOut(1, 3), sequences.committedIn(1, 1)], [9, -7]);
  });

  test("survive in the buffer for a successor", () => {
    const buffer = createEdgeSequencesBuffer(1, 2);
    new EdgeSequences(buffer, 1, 2).setCommittedIn(0, 1, 0x7fffffff);
    assert.equal(new EdgeSequences(buffer, 1, 2).committedIn(0, 1), 0x7fffffff);
  });

  test("refuse an edge or a slot outside the table, and a buffer of another size", () => {
    const buffer = createEdgeSequencesBuffer(2, 4);
    const sequences = new EdgeSequences(buffer, 2, 4);
    for (const [edge, slot] of [
      [-1, 0],
      [2, 0],
      [0, -1],
      [0, 4],
    ] as const) {
      assert.throws(() => sequences.committedIn(edge, slot), AssertionFailure);
      assert.throws(() => sequences.setCommittedOut(edge, slot, 1), AssertionFailure);
    }
    assert.throws(() => new EdgeSequences(buffer, 2, 5), AssertionFailure);
  });

  test("are ordered across the overflow", () => {
    assert.equal(isAfter(1, 0), true);
    assert.equal(isAfter(5, 5), false);
    assert.equal(isAfter(4, 5), false);
    assert.equal(isAfter(-0x80000000, 0x7fffffff), true);
    assert.equal(isAfter(0x7fffffff, -0x80000000), false);
  });
});
