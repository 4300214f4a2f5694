import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { isSyrinxError } from "../../../src/base/errors.js";
import type { RestBody } from "../../../src/transport/faces/rest.js";
import { TRANSPORT_LIMITS } from "../../../src/transport/limits.js";
import { FormReader } from "../../../src/transport/rest/form.js";
import type { StoredUpload } from "../../../src/transport/rest/upload.js";
import { UploadRoom } from "../../../src/transport/rest/upload-room.js";
import { ownTempFolder } from "../../support/temp-folder.js";

const BOUNDARY = "----syrinx-test";
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;
const LIMITS = { ...TRANSPORT_LIMITS, restMemoryBytes: 64, restFieldBytes: 256, restFormFields: 8 };

let removeFolder: () => Promise<void>;
let room: UploadRoom;

before(async () => {
  removeFolder = await ownTempFolder();
  room = new UploadRoom(LIMITS);
});

after(async () => {
  await room.close();
  assert.deepEqual(await readdir(tmpdir()), []);
  await removeFolder();
});

interface Part {
  readonly name: string;
  readonly content: Uint8Array;
  readonly fileName?: string;
}

function formOf(parts: readonly Part[]): Buffer {
  const pieces = parts.flatMap(({ name, content, fileName }) => {
    const file = fileName === undefined ? "" : `; filename="${fileName}"\r\nContent-Type: audio/wav`;
    return [`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`, content, "\r\n"];
  });
  return Buffer.concat([...pieces, `--${BOUNDARY}--\r\n`].map((piece) => Buffer.from(piece as string)));
}

async function read(bytes: Uint8Array, cuts: readonly number[]): Promise<Extract<RestBody, { kind: "form" }>> {
  const reader = new FormReader(TYPE, room, LIMITS);
  try {
    let from = 0;
    for (const to of [...cuts, bytes.byteLength]) {
      await reader.write(bytes.slice(from, to));
      from = to;
    }
    return await reader.finish();
  } catch (error) {
    await reader.discard();
    throw error;
  }
}

async function contentOf(upload: StoredUpload): Promise<Buffer> {
  return typeof upload.source === "string" ? readFile(upload.source) : Buffer.from(upload.source);
}

async function filesLeft(): Promise<string[]> {
  return readdir(await room.folder());
}

/** Never a boundary by chance, often nearly one. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.constantFrom("\r\n", `\r\n--${BOUNDARY.slice(0, 9)}`, "--", "").map((text) => new Uint8Array(Buffer.from(text))),
);

describe("forms", () => {
  test("any cut of a body gives the same fields and files, small ones in memory and large ones in a file", () =>
    fc.assert(
      fc.asyncProperty(
        content,
        content,
        fc.string({ maxLength: 40 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        async (a, b, text, at) => {
          const body = formOf([
            { name: "model", content: Buffer.from("whisper-1") },
            { name: "file", content: a, fileName: "a.wav" },
            { name: "tag[]", content: Buffer.from(text) },
            { name: "tag[]", content: Buffer.from("last") },
            { name: "other", content: b, fileName: "b.wav" },
          ]);
          const cuts = at.map((point) => point % body.byteLength).sort((left, right) => left - right);
          const { fields, files } = await read(body, cuts);
          assert.deepEqual(
            [...fields],
            [
              ["model", ["whisper-1"]],
              ["tag[]", [text, "last"]],
            ],
          );
          for (const [name, sent] of [
            ["file", a],
            ["other", b],
          ] as const) {
            const upload = files.get(name) as StoredUpload;
            assert.deepEqual(await contentOf(upload), Buffer.from(sent));
            assert.equal(upload.byteCount, sent.byteLength);
            assert.equal(upload.sha256, createHash("sha256").update(sent).digest("hex"));
            assert.equal(typeof upload.source, sent.byteLength > LIMITS.restMemoryBytes ? "string" : "object");
            await upload.discard();
          }
          assert.deepEqual(await filesLeft(), []);
        },
      ),
      { seed: 1, numRuns: 100 },
    ));

  test("a truncated body is refused wherever it ends, and leaves no file", async () => {
    const large = Buffer.alloc(200, 7);
    const body = formOf([
      { name: "file", content: large, fileName: "a.wav" },
      { name: "model", content: Buffer.from("x") },
    ]);
    for (let end = 0; end < body.byteLength - 3; end += 7) {
      await assert.rejects(read(body.subarray(0, end), []), { code: "HTTP_BODY_INVALID" }, `${end} bytes`);
    }
    assert.deepEqual(await filesLeft(), []);
  });

  test("arbitrary bytes are a form or an error with a code, and leave no file", () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (noise, inside) => {
        const bytes = inside ? Buffer.concat([Buffer.from(`--${BOUNDARY}\r\n`), noise]) : Buffer.from(noise);
        try {
          for (const upload of (await read(bytes, [])).files.values()) await (upload as StoredUpload).discard();
        } catch (error) {
          assert.ok(isSyrinxError(error), String(error));
        }
        assert.deepEqual(await filesLeft(), []);
      }),
      { seed: 2, numRuns: 100 },
    ));

  test("fields too many or too long, and files too many, are refused", async () => {
    const field = (name: string, length = 1): Part => ({ name, content: Buffer.alloc(length, 97) });
    const file = (name: string): Part => ({ ...field(name, 100), fileName: name });
    await assert.rejects(read(formOf(Array.from({ length: 9 }, (_, at) => field(`f${at}`))), []), {
      code: "HTTP_BODY_INVALID",
    });
    await assert.rejects(read(formOf([field("f", 257)]), []), { code: "HTTP_BODY_SIZE" });
    await assert.rejects(read(formOf(["a", "b", "c", "d", "e"].map(file)), []), { code: "HTTP_BODY_INVALID" });
    assert.throws(() => new FormReader("multipart/form-data", room, LIMITS), { code: "HTTP_BODY_INVALID" });
    assert.deepEqual(await filesLeft(), []);
  });

  test("of two files of one name the last one counts, and the first one's file is gone", async () => {
    const twice = ["first", "second"].map((word) => ({
      name: "file",
      content: Buffer.from(word.repeat(30)),
      fileName: word,
    }));
    const { files } = await read(formOf(twice), []);
    const upload = files.get("file") as StoredUpload;
    assert.equal(upload.fileName, "second");
    assert.equal((await filesLeft()).length, 1);
    await upload.discard();
  });
});
