/** The messages of a model file that the writer needs, with the field numbers of ONNX's own onnx.proto (Apache-2.0). */
import protobuf from "protobufjs";

const optional = (id: number, type: string) => ({ id, type });
const repeated = (id: number, type: string) => ({ id, type, rule: "repeated" });

const SCHEMA = protobuf.Root.fromJSON({
  nested: {
    Entry: { fields: { key: optional(1, "string"), value: optional(2, "string") } },
    OperatorSet: { fields: { domain: optional(1, "string"), version: optional(2, "int64") } },
    Dimension: { fields: { value: optional(1, "int64"), param: optional(2, "string") } },
    Shape: { fields: { dims: repeated(1, "Dimension") } },
    TensorType: { fields: { elementType: optional(1, "int32"), shape: optional(2, "Shape") } },
    Type: { fields: { tensor: optional(1, "TensorType") } },
    ValueInfo: { fields: { name: optional(1, "string"), type: optional(2, "Type") } },
    Tensor: {
      fields: {
        dims: repeated(1, "int64"),
        dataType: optional(2, "int32"),
        name: optional(8, "string"),
        rawData: optional(9, "bytes"),
      },
    },
    Attribute: {
      fields: {
        name: optional(1, "string"),
        f: optional(2, "float"),
        i: optional(3, "int64"),
        s: optional(4, "bytes"),
        t: optional(5, "Tensor"),
        g: optional(6, "Graph"),
        floats: repeated(7, "float"),
        ints: repeated(8, "int64"),
        type: optional(20, "int32"),
      },
    },
    Node: {
      fields: {
        inputs: repeated(1, "string"),
        outputs: repeated(2, "string"),
        name: optional(3, "string"),
        operator: optional(4, "string"),
        attributes: repeated(5, "Attribute"),
        domain: optional(7, "string"),
      },
    },
    Graph: {
      fields: {
        nodes: repeated(1, "Node"),
        name: optional(2, "string"),
        initializers: repeated(5, "Tensor"),
        inputs: repeated(11, "ValueInfo"),
        outputs: repeated(12, "ValueInfo"),
      },
    },
    Model: {
      fields: {
        irVersion: optional(1, "int64"),
        producer: optional(2, "string"),
        graph: optional(7, "Graph"),
        operatorSets: repeated(8, "OperatorSet"),
        metadata: repeated(14, "Entry"),
      },
    },
  },
});

const Model = SCHEMA.lookupType("Model");

export interface TensorMessage {
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly name?: string;
  readonly rawData: Uint8Array;
}

export interface AttributeMessage {
  readonly name: string;
  /** FLOAT 1, INT 2, STRING 3, TENSOR 4, GRAPH 5, FLOATS 6, INTS 7. */
  readonly type: number;
  readonly f?: number;
  readonly i?: number;
  readonly s?: Uint8Array;
  readonly t?: TensorMessage;
  readonly g?: GraphMessage;
  readonly floats?: readonly number[];
  readonly ints?: readonly number[];
}

export interface NodeMessage {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name: string;
  readonly operator: string;
  readonly domain?: string;
  readonly attributes: readonly AttributeMessage[];
}

export interface ValueInfoMessage {
  readonly name: string;
  readonly type: {
    readonly tensor: {
      readonly elementType: number;
      readonly shape: { readonly dims: readonly { readonly value?: number; readonly param?: string }[] };
    };
  };
}

export interface GraphMessage {
  readonly name: string;
  readonly nodes: readonly NodeMessage[];
  readonly initializers: readonly TensorMessage[];
  readonly inputs: readonly ValueInfoMessage[];
  readonly outputs: readonly ValueInfoMessage[];
}

export interface ModelMessage {
  readonly irVersion: number;
  readonly producer: string;
  readonly graph: GraphMessage;
  readonly operatorSets: readonly { readonly domain: string; readonly version: number }[];
  readonly metadata: readonly { readonly key: string; readonly value: string }[];
}

/** A model file's bytes; the same message always gives the same. Throws if a field has the wrong type. */
export function encodeModel(model: ModelMessage): Uint8Array {
  const problem = Model.verify(model);
  if (problem !== null) throw new TypeError(`not a model: ${problem}`);
  return Model.encode(Model.create(model)).finish();
}
