/** What clients with bugs do to a whole server, over real WebSockets. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { seeded } from "../../../src/base/prng.js";
import { ownTempFolder } from "../../support/temp-folder.js";
import { type SocketGolden, socketGoldens } from "./goldens.js";
import { FUZZ_RUNS, type Message, mangled, mutated } from "./mutations.js";
import { FuzzStage, normal, type Outcome } from "./stage.js";

const goldens = await socketGoldens();
let removeFolder: () => Promise<void>;

before(async () => {
  removeFolder = await ownTempFolder();
});

after(() => removeFolder());

/** In words of the protocol, ended in order. */
function checkOutcome(golden: SocketGolden, { status, body, frames, closeCode }: Outcome): void {
  if (status !== undefined) {
    assert.ok(status >= 400 && status < 500, `${status}: ${body}`);
    assert.equal(typeof JSON.parse(body), "object");
    return;
  }
  for (const frame of frames) assert.ok(golden.isReadable(frame), String(frame).slice(0, 200));
  assert.ok(golden.closeCodes.includes(closeCode), `closed with ${closeCode}`);
}

const framesOf = ({ frames }: Outcome): string[] => frames.map(normal);

/** What a mangled conversation may be besides: far too much, nothing at all, nothing but one message, again and again. */
function extremes(golden: SocketGolden): Message[][] {
  const last = golden.messages.at(-1)!;
  return [
    [],
    [{ data: new Uint8Array(3_000_000), isBinary: true }, last],
    [{ data: Buffer.alloc(3_000_000, "x"), isBinary: false }, last],
    ...golden.messages
      .slice(golden.stride === undefined ? -4 : -1)
      .map((message) => Array.from({ length: 300 }, () => message)),
  ];
}

for (const [index, golden] of goldens.entries()) {
  describe(golden.name, () => {
    test("whatever one client does, it ends, the server serves the next one as before, and nobody else notices", () =>
      FuzzStage.run(async (stage) => {
        const chance = seeded(400 + index);
        const reference = await stage.converse(golden, golden.messages);
        checkOutcome(golden, reference);
        assert.ok(reference.frames.length > 1 && reference.closeCode === 1000);
        const conversations = extremes(golden);
        for (let round = 0; round < (golden.stride === undefined ? 20 : 4) * FUZZ_RUNS; round++) {
          conversations.push(mangled(chance, golden.messages, golden.packing));
        }
        for (const messages of conversations) {
          checkOutcome(golden, await stage.converse(golden, messages));
          await stage.check();
          assert.deepEqual(framesOf(await stage.converse(golden, golden.messages)), framesOf(reference));
        }
        await stage.check();
      }));

    test("queries gone wrong are refused in the protocol's shape or served", () =>
      FuzzStage.run(async (stage) => {
        const chance = seeded(500 + index);
        const whole = { data: Buffer.from(golden.query), isBinary: false };
        const nothing = { unpack: () => undefined, pack: () => whole };
        for (let round = 0; round < (golden.stride === undefined ? 12 : 4) * FUZZ_RUNS; round++) {
          const wrong = Buffer.from(mutated(chance, whole, [whole], nothing).data).toString("latin1");
          const query = wrong.replace(/[^!-~]|#/g, encodeURIComponent);
          checkOutcome(golden, await stage.converse({ ...golden, query }, golden.messages));
        }
        await stage.check();
      }));
  });
}
