import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { SyrinxError } from "../../src/base/errors.js";
import { packageRoot } from "../../src/base/package-root.js";
import { bucketFor, bucketSizes, warmBuckets } from "../../src/gpu/buckets.js";
import { parseNvidiaSmi } from "../../src/gpu/cards.js";
import { CPU, executionProviders, parseDevice, shortReason, whyAbsent } from "../../src/gpu/devices.js";
import { readOnnxFile } from "../../src/gpu/onnx-file.js";
import { InferenceSession, Tensor } from "../../src/gpu/ort.js";
import { place, refuseWrongAnswers } from "../../src/gpu/placement.js";
import { int8Operators, refuseInt8 } from "../../src/gpu/precision.js";
import { listDevices, readProbe } from "../../src/gpu/probe.js";
import { createSession, sessionOptions } from "../../src/gpu/session.js";
import { DEFAULT_SESSION } from "../../src/gpu/session-settings.js";
import { int8Product, type TinyNode, writeTinyModel } from "../../src/gpu/tiny-models.js";
import { runTrial, TRIAL_DIFFERENCE_MAX, trialFeeds } from "../../src/gpu/trial.js";

const VAD = join(packageRoot(), "models", "starter", "vad.onnx");
const folder = mkdtempSync(join(tmpdir(), "syrinx-placement-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("sizes of batches", () => {
  test("are powers of two and the largest, and every batch fits the next one", () => {
    assert.deepEqual(bucketSizes(1), [1]);
    assert.deepEqual(bucketSizes(8), [1, 2, 4, 8]);
    assert.deepEqual(bucketSizes(20), [1, 2, 4, 8, 16, 20]);
    for (const max of [1, 7, 8, 20, 256]) {
      for (let rows = 1; rows <= max; rows += 1) {
        const wanted = bucketSizes(max).find((size) => size >= rows);
        assert.equal(bucketFor(rows, max), wanted, `${rows} of ${max}`);
      }
    }
  });

  test("are all run when a model warms up, the largest first", async () => {
    const ran: number[] = [];
    await warmBuckets(6, async (rows) => void ran.push(rows));
    assert.deepEqual(ran, [6, 4, 2, 1]);
  });
});

describe("precision", () => {
  const withNodes = (...types: string[]): Buffer => {
    const nodes: TinyNode[] = types.map((type, i) => ({ type, inputs: [`v${i}`], outputs: [`v${i + 1}`] }));
    return writeTinyModel({ inputs: [], outputs: [], nodes });
  };

  test("int8 is refused on CUDA and WebGPU with the operators that compute in it and what to do", () => {
    const quantised = readOnnxFile(file("int8.onnx", int8Product()));
    assert.deepEqual(int8Operators(quantised), ["DynamicQuantizeLinear", "MatMulInteger"]);
    for (const device of [
      { kind: "cuda", index: 1 },
      { kind: "webgpu", index: 0 },
    ] as const) {
      assert.throws(
        () => refuseInt8(quantised, device),
        (error) => {
          assert.ok(error instanceof SyrinxError && error.code === "DEVICE_PRECISION");
          assert.match(error.message, /int8 \(DynamicQuantizeLinear, MatMulInteger\), which device (cuda:1|webgpu)/);
          assert.match(error.hint, /fp16 or fp32 file of this model/);
          return true;
        },
      );
    }
    refuseInt8(quantised, CPU);
    refuseInt8(quantised, { kind: "dml", index: 0 });
  });

  test("int8 weights that are unpacked into floats are no int8 computation", () => {
    const unpacked = readOnnxFile(file("unpacked.onnx", withNodes("DequantizeLinear", "Conv", "MatMul", "Cast")));
    assert.deepEqual(int8Operators(unpacked), []);
    const both = readOnnxFile(file("both.onnx", withNodes("QuantizeLinear", "QLinearConv", "DequantizeLinear")));
    assert.deepEqual(int8Operators(both), ["QuantizeLinear", "QLinearConv"]);
    const contributed = ["com.microsoft::QAttention", "com.microsoft::DynamicQuantizeLSTM", "com.microsoft::FusedGemm"];
    const operators = new Map(contributed.map((type) => [type, 1]));
    assert.deepEqual(int8Operators({ operators }), contributed.slice(0, 2));
  });
});

describe("a trial", () => {
  const shape = { dims: { pcm: [4, 320], state: [4, null] } };
  const open = () => createSession(VAD, CPU, DEFAULT_SESSION);

  test("feeds every input by its shape, the same noise each time", async () => {
    const session = await open();
    const feeds = trialFeeds(session.inputMetadata, shape)!;
    assert.deepEqual(
      Object.entries(feeds).map(([name, { dims }]) => [name, dims]),
      [
        ["pcm", [4, 320]],
        ["state", [4, 1109]],
      ],
    );
    assert.deepEqual(trialFeeds(session.inputMetadata, shape)!.pcm!.data, feeds.pcm!.data);
    assert.equal(trialFeeds(session.inputMetadata, { dims: {} }), undefined, "free dimensions stay unknown");
    await session.release();
  });

  test("finds no difference between a device and itself, and the times of both", async () => {
    const [a, b] = [await open(), await open()];
    const trial = await runTrial(a, b, trialFeeds(a.inputMetadata, shape)!);
    assert.equal(trial.difference, 0);
    assert.ok(trial.cpuMs > 0 && trial.deviceMs > 0);
    await a.release();
    await b.release();
  });

  test("finds an output that is off, or not a number, against its largest number", async () => {
    const tiny = (type: string): Promise<InferenceSession> =>
      InferenceSession.create(
        writeTinyModel({
          inputs: [{ name: "x", type: "float32", dims: ["n"] }],
          outputs: [{ name: "y", type: "float32", dims: ["n"] }],
          nodes: [{ type, inputs: ["x"], outputs: ["y"] }],
        }),
      );
    const difference = async (there: string, ...x: number[]): Promise<number> => {
      const [cpu, device] = [await tiny("Identity"), await tiny(there)];
      const { difference } = await runTrial(cpu, device, {
        x: new Tensor("float32", Float32Array.from(x), [x.length]),
      });
      await cpu.release();
      await device.release();
      return difference;
    };
    assert.equal(await difference("Identity", 1, -4), 0);
    assert.equal(await difference("Abs", 1, -1, 8), 2 / 8);
    assert.equal(await difference("Sqrt", 1, -1, 8), Number.POSITIVE_INFINITY);
    const small = await difference("Tanh", 0.001, 0.01);
    assert.ok(small > 0 && small < TRIAL_DIFFERENCE_MAX);
  });
});

describe("answers", () => {
  const told = (difference: number): string => {
    try {
      refuseWrongAnswers({ difference, output: "state" }, "some.onnx", { kind: "webgpu", index: 0 });
    } catch (error) {
      assert.ok(error instanceof SyrinxError && error.code === "DEVICE_WRONG_ANSWERS");
      return error.message;
    }
    return "";
  };

  test("are refused from a hundredth of the largest number on, and when they are no numbers", () => {
    assert.equal(told(0), "");
    assert.equal(told(TRIAL_DIFFERENCE_MAX), "");
    assert.match(told(0.0231), /some\.onnx gives other answers on webgpu .*: state is off by 2\.3 % of its largest/);
    assert.match(told(Number.POSITIVE_INFINITY), /more than can be said/);
  });
});

describe("auto", () => {
  const request = { path: VAD, device: "auto", settings: DEFAULT_SESSION };

  test("is the CPU where CUDA's libraries are not installed, and says why", async (t) => {
    const absent = whyAbsent("cuda");
    if (absent === undefined) return t.skip("CUDA's libraries are installed");
    const { device, reason, session } = await place({
      ...request,
      trial: { dims: { pcm: [2, 320], state: [2, null] } },
    });
    assert.deepEqual(device, CPU);
    assert.equal(reason, `auto: cpu, since ${absent}`);
    assert.match(
      absent,
      /has no CUDAExecutionProvider|libonnxruntime_providers_cuda\.so is not in .*docs\/DEVICES\.md/,
    );
    await session.release();
  });

  test("tries nothing that a file which is no model could be blamed on", async () => {
    await assert.rejects(place({ ...request, path: file("none.onnx", Buffer.from("x")) }), {
      code: "MODEL_FILE_INVALID",
    });
  });
});

describe("a session", () => {
  test("is made with the settings of its model", () => {
    const options = sessionOptions(CPU, { threads: 3, arena: false, optimise: "none" });
    assert.equal(options.intraOpNumThreads, 3);
    assert.equal(options.interOpNumThreads, 1);
    assert.equal(options.enableCpuMemArena, false);
    assert.equal(options.graphOptimizationLevel, "disabled");
    assert.equal(sessionOptions(CPU, DEFAULT_SESSION).graphOptimizationLevel, "all");
  });

  test("runs with every level of optimisation, and the answers stay the same", async () => {
    const shape = { dims: { pcm: [2, 320], state: [2, null] } };
    const plain = await createSession(VAD, CPU, DEFAULT_SESSION);
    for (const optimise of ["extended", "basic", "none"] as const) {
      const session = await createSession(VAD, CPU, { threads: 2, arena: false, optimise });
      const { difference } = await runTrial(plain, session, trialFeeds(plain.inputMetadata, shape)!);
      assert.ok(difference < 1e-4, `${optimise}: ${difference}`);
      await session.release();
    }
    await plain.release();
  });

  test("on WebGPU is kept from the layout in which ONNX Runtime computes wrong", () => {
    assert.deepEqual(executionProviders({ kind: "webgpu", index: 0 }), [{ name: "webgpu", preferredLayout: "NCHW" }]);
  });

  test("that is released gives its memory back", async () => {
    const path = join(packageRoot(), "models", "starter", "stt-en.onnx");
    const count = 6;
    const rss = () => process.memoryUsage().rss;
    const open = () => createSession(path, CPU, DEFAULT_SESSION);
    await (await open()).release();
    const before = rss();
    const kept: InferenceSession[] = [];
    for (let i = 0; i < count; i += 1) kept.push(await open());
    const held = rss() - before;
    for (const session of kept) await session.release();
    const between = rss();
    for (let i = 0; i < count; i += 1) await (await open()).release();
    const grown = rss() - between;
    assert.ok(held > 0 && grown < held / 2, `${count} open ones held ${held} bytes, as many released ones ${grown}`);
  });
});

describe("devices", () => {
  test("are reported for every kind, and the CPU has computed f32, fp16, int8 and a model's step", async () => {
    const reports = await listDevices(["cpu", "coreml", "dml"]);
    assert.deepEqual(
      reports.map(({ name }) => name),
      ["cpu", "coreml", "dml"],
    );
    const cpu = reports[0]!;
    assert.ok(cpu.available, cpu.reason);
    assert.ok(cpu.gigaflops! > 0 && cpu.gigaflopsFp16! > 0 && cpu.int8);
    assert.ok(cpu.step!.ms > 0 && cpu.step!.rows === 32 && cpu.step!.difference === 0);
    assert.match(cpu.runtimeVersion, /^\d+\.\d+\.\d+/);
    assert.match(cpu.cards[0]!.name, /cores$/);
    assert.ok(cpu.cards[0]!.memoryMb! > 100);
    for (const { available, reason } of reports.slice(1)) assert.ok(available || reason.includes("Provider"), reason);
  });

  test("whose process ended without a result, or told the cause on stderr only, do not work for that reason", () => {
    const library =
      "Failed to load library /x/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open";
    const failed = JSON.stringify({ works: false, reason: "Failed to load shared library" });
    assert.deepEqual(readProbe(`${failed}\n`, `[E:onnx] ${library}\n\n`, "code 0"), {
      works: false,
      reason: "libcublasLt.so.13: cannot open",
    });
    assert.deepEqual(readProbe("", "", "SIGSEGV"), { works: false, reason: "its process ended with SIGSEGV" });
    const vulkan = "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open\n    at operator()";
    assert.match(readProbe("", vulkan, "SIGABRT").reason!, /^its process ended with SIGABRT: Couldn't load Vulkan/);
    assert.deepEqual(readProbe(`{"works":true,"gigaflops":7}\n`, vulkan, "SIGSEGV"), { works: true, gigaflops: 7 });
  });

  test("cards are read from what the driver's tool prints, whatever it does not know", () => {
    const text = "NVIDIA H100 80GB HBM3, 81559, 81000, 580.159.04\nTesla, [N/A], [N/A], [N/A]\n\nnot a card\n";
    assert.deepEqual(parseNvidiaSmi(text), [
      { name: "NVIDIA H100 80GB HBM3", memoryMb: 81559, freeMemoryMb: 81000, driver: "580.159.04" },
      { name: "Tesla" },
    ]);
    assert.deepEqual(parseNvidiaSmi(""), []);
  });

  test("that fail say why without ONNX Runtime's source positions and conditions", () => {
    const native =
      "/src/webgpu_context.cc:136 void f()::<lambda()> status == Success was false. No supported adapters\n at g()";
    assert.equal(shortReason(new Error(native)), "No supported adapters");
    assert.equal(shortReason(new Error("x".repeat(400))), `…${"x".repeat(299)}`);
  });

  test("are read from the configuration's words", () => assert.deepEqual(parseDevice("cpu"), CPU));
});
