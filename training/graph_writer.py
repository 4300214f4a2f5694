"""A small writer of ONNX graphs.

The starter networks are written node by node instead of being traced: every operator is one that all execution
providers take, no shape is computed at run time, and the same weights give the same bytes.
"""

import hashlib
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 9


class GraphWriter:
    """Collects nodes and constants. Every method that adds a node returns the name of its output."""

    def __init__(self):
        self._nodes = []
        self._constants = {}
        self._count = 0

    def _name(self, stem):
        self._count += 1
        return f"{stem}_{self._count}"

    def node(self, operator, inputs, output=None, **attributes):
        output = output or self._name(operator.lower())
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name, array):
        """A constant stored as it is."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def weight(self, name, array, half):
        """A float constant. Stored as fp16 if `half`; the Cast back is folded when the model is loaded."""
        array = np.asarray(array, np.float32)
        if not half:
            return self.constant(name, array)
        stored = self.constant(f"{name}.f16", array.astype(np.float16))
        return self.node("Cast", [stored], name, to=TensorProto.FLOAT)

    def scalar(self, value):
        return self.constant(f"scalar {value!r}", np.float32(value))

    def shape(self, *dims):
        return self.constant(f"shape {dims}", np.array(dims, np.int64))

    def reshape(self, x, *dims):
        """0 keeps a dimension, -1 is inferred."""
        return self.node("Reshape", [x, self.shape(*dims)])

    def slice(self, x, axis, start, end):
        """x[start:end] along one axis; `end` None means to the end, negative counts from it."""
        end = np.iinfo(np.int64).max if end is None else end
        bounds = [self.constant(f"index {value}", np.array([value], np.int64)) for value in (start, end, axis)]
        return self.node("Slice", [x, *bounds])

    def window(self, x, axis, offset, overlap):
        """x without its first `offset` and last `overlap - offset` entries along `axis`."""
        remaining = overlap - offset
        return x if overlap == 0 else self.slice(x, axis, offset, -remaining if remaining else None)

    def split(self, x, sizes):
        """Parts of x along axis 1, of so many entries each."""
        outputs = [self._name("part") for _ in sizes]
        parts = self.constant(f"sizes {tuple(sizes)}", np.array(sizes, np.int64))
        self._nodes.append(helper.make_node("Split", [x, parts], outputs, name=outputs[0], axis=1))
        return outputs

    def gemm(self, x, weight, bias):
        """x [batch, in] times `weight` [in, out] plus `bias`: one operator, which takes a Relu behind it along."""
        return self.node("Gemm", [x, weight, bias])

    def concat(self, parts, axis):
        return self.node("Concat", parts, axis=axis)

    def linear(self, x, weight, bias):
        return self.node("Add", [self.node("MatMul", [x, weight]), bias])

    def model(self, name, inputs, outputs, metadata):
        """`inputs` and `outputs`: {name: dims}, all f32; a string is a dimension that may vary."""
        values = [
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, dims) for key, dims in group.items()]
            for group in (inputs, outputs)
        ]
        graph = helper.make_graph(self._nodes, name, *values, initializer=list(self._constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="syrinx")
        model.ir_version = IR_VERSION
        helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
        onnx.checker.check_model(model, full_check=True)
        return model


class PackedState:
    """All recurrent state of a graph as one tensor f32 [batch, floats]; parts are taken and put back in order."""

    def __init__(self, writer, name):
        self._writer = writer
        self._name = name
        self._next = []
        self.floats = 0

    def take(self, *dims):
        """The next part of the incoming state, shaped [batch, *dims]."""
        count = int(np.prod(dims))
        part = self._writer.slice(self._name, 1, self.floats, self.floats + count)
        self.floats += count
        return part if len(dims) == 1 else self._writer.reshape(part, 0, *dims)

    def put(self, x, flat=False):
        """The part that was taken in the same turn, for the next run."""
        self._next.append(x if flat else self._writer.reshape(x, 0, -1))

    def write(self, output):
        self._writer.node("Concat", self._next, output, axis=1)


def write_file(path, model, facts):
    """Writes a model, and its row of the manifest beside it; rows of other files are kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = model.SerializeToString(deterministic=True)
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    manifest = path.parent / "manifest.json"
    known = json.loads(manifest.read_text())["models"] if manifest.exists() else []
    row = {"file": path.name, "sha256": digest, "bytes": len(data), "licence": "Apache-2.0", **facts}
    rows = sorted([*(each for each in known if each["file"] != path.name), row], key=lambda each: each["file"])
    manifest.write_text(json.dumps({"version": 1, "models": rows}, indent=2) + "\n")
    print(f"{path.name}: {len(data)} bytes, sha256 {digest}, state {facts['stateFloats']} floats")
