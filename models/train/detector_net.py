"""The detector's network, its weights on disk, and the ONNX files that ship."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

WIDTH, HEIGHT, STRIDE, PAD = 640, 384, 8, 0.5


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, padding: int | None = None) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU: fused into one node when exported."""
    padding = (kernel - 1) // 2 if padding is None else padding
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Detector(nn.Module):
    """Patch stem (stride 4), four down-sampling stages to stride 64, added back up to stride 8.

    Input [n,1,H,W] in 0..1 with H, W multiples of 64; output [n,9,H/8,W/8] as in the module's docstring.
    """

    def __init__(self, stem: int = 32, c8: int = 48, c16: int = 96, c32: int = 128, head: int = 64, fine: bool = True):
        super().__init__()
        self.stem = conv(1, stem, 4, 4, 0)
        self.block4 = conv(stem, stem) if fine else None
        self.down8, self.block8 = conv(stem, c8, 3, 2), conv(c8, c8)
        self.down16, self.block16a, self.block16b = conv(c8, c16, 3, 2), conv(c16, c16), conv(c16, c16)
        self.down32, self.block32 = conv(c16, c32, 3, 2), conv(c32, c32)
        self.down64, self.block64 = conv(c32, c32, 3, 2), conv(c32, c32)
        self.up32, self.up16, self.up8 = conv(c32, c32, 1), conv(c32, c16, 1), conv(c16, c8, 1)
        self.head = conv(c8, head)
        self.out = nn.Conv2d(head, 10, 1)
        nn.init.normal_(self.out.weight, std=0.01)
        # score, log size, then the corners of a 2 x 0.6 rectangle in units of that size
        self.out.bias.data = torch.tensor([-4.0, 1.5, -1, -0.3, 1, -0.3, 1, 0.3, -1, 0.3])

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        x = self.stem((frame - 0.45) * 4.0)
        if self.block4 is not None:
            x = x + self.block4(x)
        a = self.down8(x)
        a = a + self.block8(a)
        b = self.down16(a)
        b = b + self.block16a(b)
        b = b + self.block16b(b)
        c = self.down32(b)
        c = c + self.block32(c)
        d = self.down64(c)
        d = d + self.block64(d)
        c = c + F.interpolate(self.up32(d), scale_factor=2, mode="nearest")
        b = b + F.interpolate(self.up16(c), scale_factor=2, mode="nearest")
        a = a + F.interpolate(self.up8(b), scale_factor=2, mode="nearest")
        raw = self.out(self.head(a)).float()
        size = 8.0 * torch.exp(torch.clamp(raw[:, 1:2], -2.0, 5.0))
        return torch.cat([raw[:, :1], raw[:, 2:] * size], 1)


def shipped_weights(path: Path) -> dict:
    """State of a `Detector` that computes what an exported fp32 `detector.onnx` computes: each batch normalisation only adds the bias that was folded."""
    import half
    found = {name: torch.from_numpy(values) for name, values in half.weights(path).items()}
    found = {name.replace(".0.", "."): value for name, value in found.items()}
    found["out.weight"] = found.pop("out.matrix").T[:, :, None, None]
    found["stem.weight"] = found["stem.weight"].reshape(-1, 1, 4, 4) / 4.0  # the export folds the input's scaling into the stem
    found["stem.bias"] += 0.45 * 4.0 * found["stem.weight"].sum((1, 2, 3))
    state = Detector().state_dict()
    for name in state:
        layer, index, what = name.rsplit(".", 2) if name.count(".") == 2 else (name, "", "")
        if index != "1":
            state[name] = found[name.replace(".0.", ".")]
        elif what in ("weight", "running_var"):
            state[name] = torch.ones_like(state[name]) - (1e-5 if what == "running_var" else 0)
        elif what == "bias":
            state[name] = found[f"{layer}.bias"]
    return state


def load_model(path: Path) -> Detector:
    """The averaged weights of a checkpoint, or the weights of an exported fp32 network."""
    weights = shipped_weights(path) if path.suffix == ".onnx" else torch.load(path, weights_only=True)["ema"]
    model = Detector(fine="block4.0.weight" in weights)
    model.load_state_dict(weights)
    return model.eval()


class Export(nn.Module):
    """What the ONNX file computes: a trained detector in operators that ONNX Runtime runs fast as int8. Measured, int8 on one thread: 14 % off.

    Batch normalisation and the input's scaling are folded into the convolutions. The 4x4 patches of the stem become channels by a transposition that moves
    four bytes at a time, so that the stem is a 1x1 convolution; enlarging copies rows of channels, where `Resize` goes number by number.
    """

    def __init__(self, model: Detector):
        super().__init__()
        fold = lambda block: nn.utils.fuse_conv_bn_eval(block[0], block[1])
        for name, module in model.eval().named_children():
            setattr(self, name, fold(module) if isinstance(module, nn.Sequential) else module)
        stem = self.stem
        self.stem = nn.Conv2d(16, stem.out_channels, 1)
        with torch.no_grad():
            self.stem.weight.copy_(4.0 * stem.weight.reshape(-1, 16, 1, 1))
            self.stem.bias.copy_(stem.bias - 0.45 * 4.0 * stem.weight.sum((1, 2, 3)))

    @staticmethod
    def enlarged(x: torch.Tensor) -> torch.Tensor:
        """Nearest neighbours, twice as wide and high."""
        _, c, h, w = x.shape
        y = x.permute(0, 2, 3, 1).reshape(h, w, 1, c)
        y = torch.cat([y, y], 2).reshape(h, 1, 2 * w * c)
        return torch.cat([y, y], 1).reshape(1, 2 * h, 2 * w, c).permute(0, 3, 1, 2)

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        patches = frame.reshape(HEIGHT // 4, 4, WIDTH // 4, 4).permute(0, 2, 1, 3).reshape(1, HEIGHT // 4, WIDTH // 4, 16).permute(0, 3, 1, 2)
        x = F.relu(self.stem(patches))
        x = x + F.relu(self.block4(x))
        a = F.relu(self.down8(x))
        a = a + F.relu(self.block8(a))
        b = F.relu(self.down16(a))
        b = b + F.relu(self.block16a(b))
        b = b + F.relu(self.block16b(b))
        c = F.relu(self.down32(b))
        c = c + F.relu(self.block32(c))
        d = F.relu(self.down64(c))
        d = d + F.relu(self.block64(d))
        c = c + self.enlarged(F.relu(self.up32(d)))
        b = b + self.enlarged(F.relu(self.up16(c)))
        a = a + self.enlarged(F.relu(self.up8(b)))
        raw = self.out(F.relu(self.head(a)))
        size = 8.0 * torch.exp(torch.clamp(raw[:, 1:2], -2.0, 5.0))
        return torch.cat([raw[:, :1], raw[:, 2:] * size], 1)


def simplify_and_name(path: Path):
    """Shape inference and ONNX Runtime's basic clean-up, so that the quantiser sees plain nodes."""
    from onnxruntime.quantization.shape_inference import quant_pre_process
    quant_pre_process(str(path), str(path), skip_symbolic_shape=True)


def quantise(source: Path, target: Path, frames: list[np.ndarray], method: str, percentile: float = 99.99):
    """Static QDQ, U8 activations and S8 weights per channel; the last convolution and the arithmetic after it stay fp32."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = iter(frames)

        def get_next(self):
            frame = next(self.left, None)
            return None if frame is None else {"frame": frame[None, None]}

    graph = onnx.load(str(source)).graph
    # everything downstream of the head's activation stays in fp32
    keep, floats = set(), []
    last = [n for n in graph.node if n.op_type == "Conv"][-1]
    reached = set(last.output)
    floats.append(last.name)
    for node in graph.node:
        if node.name != last.name and any(i in reached for i in node.input):
            reached.update(node.output)
            floats.append(node.name)
    extra = {"CalibPercentile": percentile} if method == "percentile" else {"CalibMovingAverage": True, "CalibMovingAverageConstant": 0.05} if method == "average" else {}
    methods = {"percentile": CalibrationMethod.Percentile, "minmax": CalibrationMethod.MinMax, "average": CalibrationMethod.MinMax, "entropy": CalibrationMethod.Entropy}
    quantize_static(str(source), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    calibrate_method=methods[method], nodes_to_exclude=floats, extra_options=extra)


def ship(path: Path):
    """Changes an exported file, fp32 or int8, to the interface that ships; the arithmetic between stays as it is.

    In: `frame` as bytes, grey 0..255, which is what the int8 network makes of 0..1 anyhow. Out: `cells` f32 [1, 48, 80, 10], the last convolution as a matrix
    product on channels that lie together, as the int8 convolution before it leaves them, and nothing after it: who reads the cells computes the few that count.
    Measured, int8 on one thread, beside the plain file in one run: 4.04 ms became 3.75.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    model = onnx.load(str(path))
    graph = model.graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    last = next(node for node in graph.node if node.op_type == "Conv" and node.input[1] == "out.weight")
    first = next(node for node in graph.node if node.input and node.input[0] == "frame")
    after = {last.output[0]}
    nodes = []
    for node in graph.node:
        if node is last or after.intersection(node.input):
            after.update(node.output)
        else:
            nodes.append(node)
    # Bytes: quantising 0..1 in steps of 1/255 is undone, and fp32 networks divide.
    quantised = next((node for node in nodes if node.op_type == "QuantizeLinear" and np.isclose(values[node.input[1]], 1 / 255) and reaches(nodes, "frame", node.input[0])), None)
    if quantised is not None:
        nodes.remove(quantised)
        for node in nodes:
            node.input[:] = [quantised.input[0] if name == quantised.output[0] else name for name in node.input]
    else:
        first.input[0] = "grey"
        graph.initializer.append(numpy_helper.from_array(np.float32(1 / 255), "grey.share"))
        nodes[:0] = [helper.make_node("Cast", ["frame"], ["bytes"], name="bytes", to=TensorProto.FLOAT), helper.make_node("Mul", ["bytes", "grey.share"], ["grey"], name="grey")]
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values["out.weight"][:, :, 0, 0].T), "out.matrix"))
    nodes += [
        helper.make_node("Transpose", [last.input[0]], ["together"], name="together", perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["together", "out.matrix"], ["product"], name="out"),
        helper.make_node("Add", ["product", "out.bias"], ["cells"], name="out.sum"),
    ]
    del graph.node[:], graph.value_info[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, 1, HEIGHT, WIDTH]))
    graph.output.append(helper.make_tensor_value_info("cells", TensorProto.FLOAT, [1, HEIGHT // STRIDE, WIDTH // STRIDE, 10]))
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def reaches(nodes, start: str, end: str) -> bool:
    """True where value `end` is `start`, moved about only."""
    while end != start:
        made = next((node for node in nodes if end in node.output), None)
        if made is None or made.op_type not in ("Reshape", "Transpose"):
            return False
        end = made.input[0]
    return True


def planes(cells: np.ndarray) -> np.ndarray:
    """f32 [9, H/8, W/8] of shipped `cells` [1, H/8, W/8, 10]: score logit, then the corners in input pixels from the cell's centre."""
    raw = np.moveaxis(cells[0], 2, 0)
    return np.concatenate([raw[:1], raw[2:] * (8 * np.exp(np.clip(raw[1:2], -2, 5)))])
