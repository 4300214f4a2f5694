/** `syrinx check` tells of every route that would keep the server from starting, where it stands in the file. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfigText } from "../../src/config/load.js";
import type { ConfigError } from "../../src/config/problem.js";
import { loadFamily } from "../../src/models/registry.js";
import { routeProblems } from "../../src/transport/routes.js";

const TEXT = `version: 1
models: { voice: { family: flite } }
graphs:
  speak: [ { tts: { model: voice } } ]
routes:
  /v1/listen: { face: deepgram-listen, graph: speak }
  /v1/speak: { face: deepgram-speak, graph: speak, options: { voicez: 1 } }
  /v1/audio/speech: { face: openai-speech, graph: speak }
`;

test("all of them at once, and not those that are sound", async () => {
  await loadFamily("flite");
  assert.throws(
    () => loadConfigText(TEXT, "server.yaml", { env: {}, routeProblems }),
    ({ problems }: ConfigError) => {
      assert.deepEqual(
        problems.map(({ code, line, path }) => [code, line, path]),
        [
          ["route-invalid", 6, 'routes["/v1/listen"]'],
          ["route-invalid", 7, 'routes["/v1/speak"]'],
        ],
      );
      assert.match(problems[1]!.message, /options: Unrecognized key: "voicez"/);
      return true;
    },
  );
});
