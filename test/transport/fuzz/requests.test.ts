/** What clients with bugs, and people with bad intentions, send to a whole server over plain HTTP. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { encodeWav } from "../../../src/audio/wav.js";
import { type Prng, seeded } from "../../../src/base/prng.js";
import { flacBomb } from "../../support/flac-bomb.js";
import { ownTempFolder } from "../../support/temp-folder.js";
import { FUZZ_RUNS, mutated } from "./mutations.js";
import { BOUNDARY, formOf, REST_GOLDENS, type RestGolden } from "./rest-goldens.js";
import { FuzzStage, inTime, KEY, normal } from "./stage.js";

let removeFolder: () => Promise<void>;

before(async () => {
  removeFolder = await ownTempFolder();
});

after(() => removeFolder());

interface Request {
  readonly line: string;
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

function requestOf({ method, path, query, contentType, body }: RestGolden): Request {
  const headers = contentType === undefined ? [] : [`content-type: ${contentType}`, `content-length: ${body.length}`];
  return { line: `${method} ${path}?${query} HTTP/1.1`, headers, body };
}

/** Writes it as it is, and hears what comes until the server closes. */
async function send(stage: FuzzStage, { line, headers, body }: Request, what: string): Promise<string> {
  const { hostname, port } = new URL(stage.server.url);
  const socket = connect(Number(port), hostname);
  const heard: Buffer[] = [];
  socket.on("error", () => {});
  socket.on("data", (data: Buffer) => heard.push(data));
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  const head = [line, "host: test", `authorization: Bearer ${KEY}`, "connection: close", ...headers];
  socket.write(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), body]));
  // Who announced more than comes ends here, which is noticed at once; waiting for more has tests of its own.
  if (headers.some((header) => Number(/^content-length: (.+)$/.exec(header)?.[1]) > body.length)) socket.end();
  await inTime(closed, what);
  return Buffer.concat(heard).toString("latin1").replace("HTTP/1.1 100 Continue\r\n\r\n", "");
}

/** An answer of the protocol, or of HTTP itself to what is no HTTP. */
function checkAnswer({ isRefusal }: RestGolden, answer: string): number {
  // Who goes before it has sent all gets no answer.
  if (answer === "") return 0;
  const [head = "", body = ""] = answer.split("\r\n\r\n", 2);
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
  assert.ok(status >= 200 && status < 600 && status !== 500, answer.slice(0, 300));
  // Node's own answer to what is no HTTP has no body.
  if (status >= 400 && body !== "" && !/"HTTP_(NOT_FOUND|METHOD|UPGRADE_REQUIRED)"/.test(body)) {
    assert.ok(isRefusal(JSON.parse(body)), `${status}: ${body}`);
  }
  return status;
}

function bent(chance: Prng, golden: RestGolden): Request {
  const request = requestOf(golden);
  const whole = { data: request.body, isBinary: true };
  const nothing = { unpack: () => undefined, pack: () => whole };
  const body = chance.next() < 0.7 ? mutated(chance, whole, [whole], nothing).data : request.body;
  const lengths = [body.length, body.length, body.length, 0, -1, body.length + 100, body.length - 1, "1e3", "0x10", ""];
  const types = [
    golden.contentType,
    golden.contentType,
    "text/plain",
    "multipart/form-data",
    "application/json; x=y",
    "",
  ];
  const more = [
    "transfer-encoding: gzip, chunked",
    "content-encoding: gzip",
    "expect: 100-continue",
    "upgrade: websocket",
  ];
  const headers = [`content-type: ${chance.pick(types)}`, `content-length: ${chance.pick(lengths)}`];
  if (chance.next() < 0.2) headers.push(chance.pick([...more, headers[1]!, `content-length: ${body.length}`]));
  return { ...request, headers, body };
}

for (const [index, golden] of REST_GOLDENS.entries()) {
  describe(golden.name, () => {
    test("whatever one request is, it is answered or cut off, and the next one is answered as before", () =>
      FuzzStage.run(async (stage) => {
        const chance = seeded(600 + index);
        const whole = requestOf(golden);
        const answerOf = async (): Promise<string> => (await send(stage, whole, golden.name)).split("\r\n\r\n", 2)[1]!;
        const reference = await answerOf();
        assert.ok(reference.length > 0);
        for (let round = 0; round < 16 * FUZZ_RUNS; round++) {
          const request = bent(chance, golden);
          checkAnswer(golden, await send(stage, request, `${golden.name}, round ${round}`));
          assert.equal(normal(await answerOf()), normal(reference));
        }
        await stage.check();
      }));
  });
}

const TONE = encodeWav(new Int16Array(1_600).fill(500), 16_000);

/** A WAV file with other bytes at a place of its header. */
function lying(at: number, bytes: readonly number[]): Uint8Array {
  const file = Buffer.from(TONE);
  file.set(bytes, at);
  return file;
}

const ONES = [255, 255, 255, 255];
const LIES: Readonly<Record<string, Uint8Array>> = {
  "a RIFF of no bytes": lying(4, [0, 0, 0, 0]),
  "a RIFF of 4 GiB": lying(4, ONES),
  "samples of 4 GiB": lying(40, ONES),
  "no samples": lying(40, [0, 0, 0, 0]),
  "no channel": lying(22, [0, 0]),
  "65535 channels": lying(22, [255, 255]),
  "a rate of 0": lying(24, [0, 0, 0, 0]),
  "a rate of 4 GHz": lying(24, ONES),
  "samples of 7 bits": lying(34, [7, 0]),
  "samples of 65535 bits": lying(34, [255, 255]),
  "a format of its own": lying(20, [99, 99]),
  "a chunk of 4 GiB before the samples": Buffer.concat([
    TONE.subarray(0, 36),
    Buffer.from("junk\xff\xff\xff\xff", "latin1"),
  ]),
  "half a header": TONE.subarray(0, 30),
  "one byte": Uint8Array.of(0x52),
  "nothing at all": new Uint8Array(0),
  "a name of FLAC alone": Buffer.from("fLaC"),
  "a page of Ogg without its end": Buffer.from("OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff", "latin1"),
  "noise that begins like MP3": Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x64]), Buffer.alloc(3_000, 0x5a)]),
  "EBML without an end": Buffer.from("1a45dfa301ffffffffffffff", "hex"),
};

describe("recordings that lie", () => {
  const [deepgram, openai] = ["/v1/listen", "/v1/audio/transcriptions"].map(
    (path) => REST_GOLDENS.find((golden) => golden.path === path)!,
  );
  const post = (stage: FuzzStage, golden: RestGolden, file: Uint8Array): Promise<string> => {
    const isForm = golden === openai;
    const body = isForm ? formOf({ model: "whisper-1" }, file) : file;
    const type = isForm ? `multipart/form-data; boundary=${BOUNDARY}` : "audio/wav";
    const headers = [`content-type: ${type}`, `content-length: ${body.length}`];
    return send(stage, { line: `POST ${golden.path} HTTP/1.1`, headers, body }, golden.name);
  };

  test("about their length, their channels or what they are, are heard or refused in words", () =>
    FuzzStage.run(async (stage) => {
      for (const golden of [deepgram!, openai!]) {
        for (const [what, file] of Object.entries(LIES)) {
          const status = checkAnswer(golden, await post(stage, golden, file));
          assert.ok(status === 200 || (status >= 400 && status < 500), `${what}: ${status}`);
        }
        assert.equal(checkAnswer(golden, await post(stage, golden, TONE)), 200);
      }
      await stage.check();
    }));

  test("hours of silence in some kilobytes are refused when they are longer than a recording may be", () =>
    FuzzStage.run(async (stage) => {
      for (const golden of [deepgram!, openai!]) {
        assert.equal(checkAnswer(golden, await post(stage, golden, flacBomb(1))), 200);
        const bomb = flacBomb(1_000);
        assert.ok(bomb.length < 40_000);
        const answer = await post(stage, golden, bomb);
        assert.match(answer, /^HTTP\/1\.1 4\d\d .*longer than/s);
        checkAnswer(golden, answer);
      }
      // No call was opened for them.
      assert.equal(stage.runtime.calls.length, 1 + 2);
      await stage.check();
    }));
});

describe("bodies without end", () => {
  for (const golden of REST_GOLDENS.filter(({ method }) => method === "POST")) {
    test(`${golden.name}: are cut off at the limit, and nothing of them is kept`, () =>
      FuzzStage.run(async (stage) => {
        const { line, body } = requestOf(golden);
        const chunk = (bytes: Uint8Array): Buffer =>
          Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
        const start = body.subarray(0, Math.max(1, body.length - 60));
        const endless = Array.from({ length: 60 }, () => chunk(Buffer.alloc(16_384, " ")));
        const headers = [`content-type: ${golden.contentType}`, "transfer-encoding: chunked"];
        const answer = await send(
          stage,
          { line, headers, body: Buffer.concat([chunk(start), ...endless]) },
          golden.name,
        );
        // A client that goes on sending may lose the answer with the connection.
        if (answer !== "") assert.equal(checkAnswer(golden, answer), 413);
        await stage.check();
      }));
  }
});
