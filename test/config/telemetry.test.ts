import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadConfig } from "../../src/config/index.js";
import type { TracingSettings } from "../../src/telemetry/tracing.js";
import { fakeRegistries, problemsOf } from "./fakes.js";

function telemetry(otlp: object, env: NodeJS.ProcessEnv = {}): TracingSettings | undefined {
  const config = { version: 1, server: { telemetry: { otlp } }, graphs: { echo: ["echo"] } };
  return loadConfig(config, { env, registries: fakeRegistries() }).plan.server.telemetry;
}

const OWN = "http://own:4318";

describe("where traces go", () => {
  const CASES: readonly (readonly [string, object, NodeJS.ProcessEnv, string | undefined])[] = [
    ["nowhere, by default", {}, {}, undefined],
    ["the configuration's endpoint", { endpoint: OWN }, {}, `${OWN}/v1/traces`],
    ["below a path", { endpoint: `${OWN}/tenant/` }, {}, `${OWN}/tenant/v1/traces`],
    ["to a whole URL as it is", { endpoint: `${OWN}/v1/traces` }, {}, `${OWN}/v1/traces`],
    [
      "by the configuration first",
      { endpoint: OWN },
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://env" },
      `${OWN}/v1/traces`,
    ],
    ["by the environment", {}, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://env:1" }, "http://env:1/v1/traces"],
    [
      "by the variable for traces, as it is, before the one for all",
      {},
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://traces:2/", OTEL_EXPORTER_OTLP_ENDPOINT: "http://env" },
      "http://traces:2/",
    ],
    ["nowhere, if the variable is empty", {}, { OTEL_EXPORTER_OTLP_ENDPOINT: " " }, undefined],
    ["nowhere, if the SDK is disabled", { endpoint: OWN }, { OTEL_SDK_DISABLED: "true" }, undefined],
    ["nowhere, if traces are", { endpoint: OWN }, { OTEL_TRACES_EXPORTER: "none" }, undefined],
  ];
  for (const [what, otlp, env, url] of CASES) test(what, () => assert.equal(telemetry(otlp, env)?.url, url));

  test("headers come from the variable that is named; its content is never repeated", () => {
    const otlp = { endpoint: OWN, headersEnv: "COLLECTOR" };
    const { headers } = telemetry(otlp, { COLLECTOR: "authorization=Basic%20a%3D, x-team=birds" })!;
    assert.deepEqual({ ...headers }, { authorization: "Basic a=", "x-team": "birds" });
    for (const env of [{}, { COLLECTOR: "s3cret-without-a-name" }, { COLLECTOR: "a=%zz" }]) {
      const config = { version: 1, server: { telemetry: { otlp } }, graphs: { echo: ["echo"] } };
      const problems = problemsOf(JSON.stringify(config), { env });
      assert.deepEqual(
        problems.map(({ code }) => code),
        ["secret-missing"],
      );
      assert.ok(!JSON.stringify(problems).includes("s3cret"));
    }
  });

  test("the service is called what the environment says", () => {
    const named = { OTEL_RESOURCE_ATTRIBUTES: "service.name=b,zone=x%2Cy" };
    assert.equal(telemetry({ endpoint: OWN })!.serviceName, "syrinx");
    assert.equal(telemetry({ endpoint: OWN }, named)!.serviceName, "b");
    assert.deepEqual({ ...telemetry({ endpoint: OWN }, named)!.resource }, { zone: "x,y" });
    assert.equal(telemetry({ endpoint: OWN }, { ...named, OTEL_SERVICE_NAME: "a" })!.serviceName, "a");
  });

  test("a variable that is no URL is a problem, as is an endpoint of another protocol", () => {
    assert.throws(() => telemetry({}, { OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" }), /CONFIG_INVALID|is no URL/);
    assert.throws(() => telemetry({ endpoint: "grpc://own:4317" }));
  });
});
