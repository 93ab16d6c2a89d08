"""fp32 networks on disk in half the bytes: weights as fp16, cast to fp32 when the network is loaded.

    python models/train/half.py models/detector.onnx ...      a file is written anew; one that is stored so already stays

What is computed stays fp32: ONNX Runtime folds the casts into constants once. A weight changes by at most a two-thousandth of itself.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SUFFIX = ".half"
# Smaller tensors (biases, scales) are not worth a node.
LEAST = 256


def store(path: Path) -> None:
    """Stores the large fp32 initialisers of a file as fp16."""
    model = onnx.load(str(path))
    graph, casts, kept = model.graph, [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= LEAST:
            casts.append(helper.make_node("Cast", [tensor.name + SUFFIX], [tensor.name], name=tensor.name + SUFFIX, to=TensorProto.FLOAT))
            tensor = numpy_helper.from_array(values.astype(np.float16), tensor.name + SUFFIX)
        kept.append(tensor)
    nodes = casts + list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def weights(path: Path) -> dict[str, np.ndarray]:
    """The initialisers of a file by their names, fp32 however they are stored."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(path)).graph.initializer}
    return {name.removesuffix(SUFFIX): values.astype(np.float32) if name.endswith(SUFFIX) else values.copy() for name, values in found.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", type=Path, nargs="+")
    for path in parser.parse_args().files:
        before = path.stat().st_size
        store(path)
        print(path, before, "to", path.stat().st_size, "bytes")
