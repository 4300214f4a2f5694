/** What faces make of requests gone wrong, without a server. */
import assert from "node:assert/strict";
import { validateHeaderName, validateHeaderValue } from "node:http";
import { describe, test } from "node:test";
import { ERRORS, type ErrorCode, isSyrinxError, SyrinxError } from "../../../src/base/errors.js";
import { seeded } from "../../../src/base/prng.js";
import { graphFactsOf } from "../../../src/transport/face-request.js";
import type { FaceRequest } from "../../../src/transport/faces/face.js";
import { FACES } from "../../../src/transport/faces/registry.js";
import type { HttpAnswer, RestBody, Upload } from "../../../src/transport/faces/rest.js";
import { errorBody } from "../../../src/transport/http.js";
import { buildRoutes, findRoute, type Route } from "../../../src/transport/routes.js";
import { statusOf } from "../../../src/transport/status.js";
import { faceRequest } from "../../support/face-request.js";
import { fuzzPlan } from "./goldens.js";
import { FUZZ_RUNS, mutated, PLAIN, text, wrongFrames, wrongJson } from "./mutations.js";
import { REST_GOLDENS, type RestGolden } from "./rest-goldens.js";

const plan = await fuzzPlan();
const routes = buildRoutes(plan);
const facts = graphFactsOf(plan);
const FIELDS = [
  "model",
  "response_format",
  "stream",
  "language",
  "temperature",
  "timestamp_granularities[]",
  "keywords",
];
const VALUES = [
  "",
  " ",
  "json",
  "true",
  "-1",
  "NaN",
  "1e999",
  "__proto__",
  "x".repeat(5_000),
  "\r\nx: y",
  "\0",
  "\ud800",
];

function routeOf(golden: RestGolden): Route {
  return findRoute(routes, golden.path)!;
}

function requestFor({ method, path }: RestGolden, { graph, options, face }: Route, query: string): FaceRequest {
  assert.ok(face.rest !== undefined);
  const graphs = [graph!];
  return faceRequest({
    method,
    path,
    headers: { host: "test" },
    query: new URLSearchParams(query),
    graph,
    graphs,
    facts,
    options,
  });
}

function checkRefusal(golden: RestGolden, error: SyrinxError, request: FaceRequest): void {
  // Without a shape of its own, a face says it as everything else of the server does.
  const plain = {
    status: statusOf(error.code),
    contentType: "application/json",
    body: JSON.stringify(errorBody(error)),
  };
  const answer: HttpAnswer = routeOf(golden).face.refusal?.(error, request) ?? plain;
  const { status, headers = {}, body, contentType } = answer;
  assert.ok(status >= 400 && status < 600, `${error.code}: ${status}`);
  assert.ok(golden.isRefusal(JSON.parse(String(body))), `${error.code}: ${String(body)}`);
  for (const [name, value] of Object.entries({ ...headers, "content-type": contentType })) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  }
}

/** A job, or a coded error that is told in the protocol's shape. @returns whether it was refused */
function take(golden: RestGolden, query: string, body: RestBody): boolean {
  const route = routeOf(golden);
  const request = requestFor(golden, route, query);
  try {
    const job = route.face.rest!.job(request, body);
    const { headers = {} }: Pick<HttpAnswer, "headers"> =
      job.kind === "answer" ? job.answer : job.kind === "speak" ? job : job.codec;
    for (const [name, value] of Object.entries(headers)) validateHeaderValue(name, value);
    return false;
  } catch (error) {
    assert.ok(isSyrinxError(error), error instanceof Error ? error.stack : String(error));
    assert.notEqual(error.code, "INTERNAL");
    checkRefusal(golden, error, request);
    return true;
  }
}

const upload: Upload = { fileName: "../../a.wav", contentType: "text/html", byteCount: 1, sha256: "00" };

/** The body as a face gets it. */
function bodyOf({ contentType, body }: RestGolden): RestBody {
  if (contentType === undefined) return { kind: "none" };
  if (contentType === "application/json") return { kind: "json", value: JSON.parse(Buffer.from(body).toString()) };
  if (!contentType.startsWith("multipart")) return { kind: "bytes", upload };
  return { kind: "form", fields: new Map([["model", ["whisper-1"]]]), files: new Map([["file", upload]]) };
}

test("every face of the registry that is served over plain HTTP has a request here", () => {
  const asked = new Set(REST_GOLDENS.map((golden) => routeOf(golden).face.name));
  const known = [...FACES.values()].filter(({ rest }) => rest !== undefined).map(({ name }) => name);
  // Alike but for the model that a translation needs.
  assert.deepEqual([...asked, "openai-translations"].sort(), known.sort());
});

for (const [index, golden] of REST_GOLDENS.entries()) {
  describe(golden.name, () => {
    test("a body that is wrong in one place is a job or a refusal", () => {
      assert.equal(take(golden, golden.query, bodyOf(golden)), false);
      if (golden.contentType !== "application/json") return;
      const whole = text(Buffer.from(golden.body).toString());
      let cases = 0;
      let refused = 0;
      for (const { data } of [...wrongJson(whole, PLAIN), ...wrongFrames(whole)]) {
        const value = parsed(data);
        if (value === undefined) continue;
        refused += Number(take(golden, golden.query, { kind: "json", value }));
        cases += 1;
      }
      assert.ok(cases > 30 && (refused > cases / 10 || golden.ignoresBody === true), `${refused} of ${cases}`);
    });

    test("forms, fields, queries and kinds of body gone wrong are jobs or refusals", () => {
      const chance = seeded(300 + index);
      const whole = { data: Buffer.from(golden.query), isBinary: false };
      const nothing = { unpack: () => undefined, pack: () => whole };
      for (let round = 0; round < 500 * FUZZ_RUNS; round++) {
        const query = Buffer.from(mutated(chance, whole, [whole], nothing).data).toString("latin1");
        const fields = new Map<string, string[]>();
        for (let count = chance.integer(0, 5); count > 0; count--) {
          fields.set(chance.pick(FIELDS), [chance.pick(VALUES), chance.pick(VALUES)]);
        }
        const files = new Map([
          [chance.pick(["file", "file", "__proto__"]), { ...upload, byteCount: chance.integer(0, 3) }],
        ]);
        const bodies: readonly RestBody[] = [
          bodyOf(golden),
          { kind: "none" },
          { kind: "json", value: chance.pick([null, 1, "x", [], {}, [{}]]) },
          { kind: "bytes", upload: { ...upload, byteCount: chance.integer(0, 2) } },
          { kind: "form", fields, files },
        ];
        take(golden, chance.next() < 0.5 ? query : golden.query, chance.pick(bodies));
      }
    });

    test("every error of the table is told in the protocol's shape", () => {
      const request = requestFor(golden, routeOf(golden), golden.query);
      for (const code of Object.keys(ERRORS) as ErrorCode[]) {
        for (const detail of [{}, { field: "\r\nx: y\ud800", problem: "ü\0", path: "\n", limit: Number.NaN }]) {
          checkRefusal(golden, new SyrinxError(code, detail), request);
        }
      }
    });
  });
}

function parsed(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString()) as unknown;
  } catch {
    return undefined;
  }
}
