/**
 * What an ONNX file says of itself, without loading it: operators, opset, tensors, types of weights, metadata. Field
 * numbers are those of onnx.proto (github.com/onnx/onnx, onnx/onnx.proto, IR version 13).
 */
import { reasonOf, SyrinxError } from "../base/errors.js";
import type { DeclaredTensor } from "./expect-tensors.js";
import { WireFault, WireReader } from "./wire-reader.js";

export interface OnnxFile {
  readonly path: string;
  readonly byteCount: number;
  readonly irVersion: number;
  /** `pytorch 2.4.0`, for example; empty if the file does not say. */
  readonly producer: string;
  /** Version of each operator set by its domain; the standard one is `ai.onnx`. */
  readonly opsets: ReadonlyMap<string, number>;
  /** How many nodes there are of each type, those of inner graphs and functions too. Foreign ones as `domain::type`. */
  readonly operators: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
  /** What must be fed: inputs that have no default. */
  readonly inputs: readonly DeclaredTensor[];
  readonly outputs: readonly DeclaredTensor[];
  /** Numbers that the weights hold, by their type, inner graphs and constants too. */
  readonly weights: ReadonlyMap<string, number>;
  /** Files beside this one that hold weights, as the file names them. */
  readonly externalFiles: readonly string[];
}

/** TensorProto.DataType. The names are those of ONNX Runtime where it has one. */
const TYPES = [
  "undefined",
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
  "complex64",
  "complex128",
  "bfloat16",
  "float8e4m3fn",
  "float8e4m3fnuz",
  "float8e5m2",
  "float8e5m2fnuz",
  "uint4",
  "int4",
  "float4e2m1",
] as const;
const STANDARD_DOMAIN = "ai.onnx";

const MODEL = {
  irVersion: 1,
  producer: 2,
  producerVersion: 3,
  graph: 7,
  opset: 8,
  metadata: 14,
  functions: 25,
} as const;
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12, sparse: 15 } as const;
const NODE = { type: 4, attribute: 5, domain: 7 } as const;
const FUNCTION = { node: 7 } as const;
const ATTRIBUTE = { tensor: 5, graph: 6, tensors: 10, graphs: 11, sparse: 22, sparses: 23 } as const;
const TENSOR = { dims: 1, type: 2, name: 8, external: 13 } as const;

/**
 * Reads a file's description; weights are stepped over. Blocks for as long as it reads: under 10 ms for graphs of some
 * thousand nodes.
 * Throws MODEL_FILE_MISSING, and MODEL_FILE_INVALID if it is no ONNX file (ONNX Runtime's own format, `.ort`, is none).
 */
export function readOnnxFile(path: string): OnnxFile {
  let reader: WireReader;
  try {
    reader = new WireReader(path);
  } catch (error) {
    throw new SyrinxError("MODEL_FILE_MISSING", { path }, error);
  }
  using file = reader;
  try {
    return new Description(file).read(path);
  } catch (error) {
    const reason = error instanceof WireFault ? `it is no ONNX file: ${error.message}` : reasonOf(error);
    throw new SyrinxError("MODEL_FILE_INVALID", { path, reason }, error);
  }
}

class Description {
  readonly #file: WireReader;
  readonly #opsets = new Map<string, number>();
  readonly #operators = new Map<string, number>();
  readonly #metadata = new Map<string, string>();
  readonly #weights = new Map<string, number>();
  readonly #externalFiles = new Set<string>();
  readonly #inputs: DeclaredTensor[] = [];
  readonly #outputs: DeclaredTensor[] = [];
  readonly #defaults = new Set<string>();

  constructor(file: WireReader) {
    this.#file = file;
  }

  read(path: string): OnnxFile {
    const file = this.#file;
    let irVersion = 0;
    let hasGraph = false;
    let producer = "";
    let producerVersion = "";
    file.message(file.byteCount, {
      [MODEL.irVersion]: (version) => {
        irVersion = version;
      },
      [MODEL.producer]: (end) => {
        producer = file.text(end);
      },
      [MODEL.producerVersion]: (end) => {
        producerVersion = file.text(end);
      },
      [MODEL.graph]: (end) => {
        hasGraph = true;
        this.#graph(end, true);
      },
      [MODEL.opset]: (end) => this.#opset(end),
      [MODEL.metadata]: (end) => this.#pair(end, (key, value) => this.#metadata.set(key, value)),
      [MODEL.functions]: (end) => file.message(end, { [FUNCTION.node]: (nodeEnd) => this.#node(nodeEnd) }),
    });
    if (!hasGraph || irVersion < 1) throw new WireFault("it has no graph");
    return {
      path,
      byteCount: file.byteCount,
      irVersion,
      producer: `${producer} ${producerVersion}`.trim(),
      opsets: this.#opsets,
      operators: this.#operators,
      metadata: this.#metadata,
      inputs: this.#inputs.filter(({ name }) => !this.#defaults.has(name)),
      outputs: this.#outputs,
      weights: this.#weights,
      externalFiles: [...this.#externalFiles],
    };
  }

  #graph(end: number, isOutermost: boolean): void {
    this.#file.message(end, {
      [GRAPH.input]: (at) => {
        if (isOutermost) this.#inputs.push(this.#declared(at));
      },
      [GRAPH.output]: (at) => {
        if (isOutermost) this.#outputs.push(this.#declared(at));
      },
      [GRAPH.node]: (at) => this.#node(at),
      [GRAPH.initializer]: (at) => void this.#defaults.add(this.#tensor(at)),
      [GRAPH.sparse]: (at) => void this.#defaults.add(this.#sparse(at)),
    });
  }

  #node(end: number): void {
    const file = this.#file;
    let type = "";
    let domain = "";
    file.message(end, {
      [NODE.type]: (at) => {
        type = file.text(at);
      },
      [NODE.domain]: (at) => {
        domain = file.text(at);
      },
      [NODE.attribute]: (at) => this.#attribute(at),
    });
    const isStandard = domain === "" || domain === STANDARD_DOMAIN;
    count(this.#operators, isStandard ? type : `${domain}::${type}`, 1);
  }

  #attribute(end: number): void {
    const tensor = (at: number) => void this.#tensor(at);
    const sparse = (at: number) => void this.#sparse(at);
    const graph = (at: number) => this.#graph(at, false);
    this.#file.message(end, {
      [ATTRIBUTE.tensor]: tensor,
      [ATTRIBUTE.tensors]: tensor,
      [ATTRIBUTE.graph]: graph,
      [ATTRIBUTE.graphs]: graph,
      [ATTRIBUTE.sparse]: sparse,
      [ATTRIBUTE.sparses]: sparse,
    });
  }

  /** Counts a tensor's numbers; returns its name. */
  #tensor(end: number): string {
    const file = this.#file;
    const dims: number[] = [];
    let type = 0;
    let name = "";
    file.message(end, {
      [TENSOR.dims]: (value, isPart) => void dims.push(...(isPart ? file.packed(value) : [value])),
      [TENSOR.type]: (value) => {
        type = value;
      },
      [TENSOR.name]: (at) => {
        name = file.text(at);
      },
      [TENSOR.external]: (at) =>
        this.#pair(at, (key, value) => {
          if (key === "location") this.#externalFiles.add(value);
        }),
    });
    const numbers = dims.reduce((total, dim) => total * dim, 1);
    count(this.#weights, typeName(type), numbers);
    return name;
  }

  /** SparseTensorProto: the values are a tensor and carry the name. */
  #sparse(end: number): string {
    let name = "";
    this.#file.message(end, {
      1: (at) => {
        name = this.#tensor(at);
      },
    });
    return name;
  }

  #opset(end: number): void {
    let domain = "";
    let version = 0;
    this.#file.message(end, {
      1: (at) => {
        domain = this.#file.text(at);
      },
      2: (value) => {
        version = value;
      },
    });
    this.#opsets.set(domain === "" ? STANDARD_DOMAIN : domain, version);
  }

  /** StringStringEntryProto. */
  #pair(end: number, take: (key: string, value: string) => void): void {
    let key = "";
    let value = "";
    this.#file.message(end, {
      1: (at) => {
        key = this.#file.text(at);
      },
      2: (at) => {
        value = this.#file.text(at);
      },
    });
    take(key, value);
  }

  /** ValueInfoProto → TypeProto → Tensor → TensorShapeProto → Dimension. */
  #declared(end: number): DeclaredTensor {
    const file = this.#file;
    let name = "";
    let type = "no tensor";
    const dims: (number | string)[] = [];
    const dimension = (at: number) => {
      let dim: number | string = "";
      file.message(at, {
        1: (value) => {
          dim = value;
        },
        2: (textEnd) => {
          dim = file.text(textEnd);
        },
      });
      dims.push(dim);
    };
    const tensorType = {
      1: (value: number) => {
        type = typeName(value);
      },
      2: (at: number) => file.message(at, { 1: dimension }),
    };
    file.message(end, {
      1: (at) => {
        name = file.text(at);
      },
      2: (at) => file.message(at, { 1: (typeEnd) => file.message(typeEnd, tensorType) }),
    });
    return { name, type, dims };
  }
}

function typeName(type: number): string {
  return TYPES[type] ?? `type ${type}`;
}

function count(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
