/** What every wire protocol in the registry promises, whatever it speaks. A new row is tested by being there. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FACE_NAMES, PLANNED_FACES } from "../../src/config/schema.js";
import { FACES } from "../../src/transport/faces/registry.js";

test("a route may name exactly the faces that there are", () => {
  assert.deepEqual([...FACES.keys()].sort(), [...FACE_NAMES].sort());
  assert.deepEqual(
    PLANNED_FACES.filter((name) => FACES.has(name)),
    [],
  );
});

describe("each face", () => {
  for (const [name, face] of FACES) {
    test(`${name} has defaults for its route, refuses options that it does not know, and serves something`, () => {
      face.parseOptions({});
      assert.throws(() => face.parseOptions({ noSuchOption: 1 }));
      assert.ok(face.negotiate !== undefined || face.rest !== undefined);
    });
  }
});
