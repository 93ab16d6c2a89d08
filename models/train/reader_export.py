"""From a checkpoint to the files that ship: fp32 and int8 ONNX, and reader.json that says what goes in and out."""

import json
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch.nn import functional as F

import half
from plate_formats import JURISDICTIONS
from reader_data import IGNORE, MARGIN_X, MARGIN_Y, jurisdiction_of
from reader_net import ALPHABET, COLUMNS, HEIGHT, WIDTH, Export


def session(path: Path):
    """ONNX Runtime session on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_all(path: Path, inputs):
    """(log-probabilities [N, 80, 37], jurisdiction logits [N, J]) of every input, batch 1 as shipped."""
    net = session(path)
    pairs = [net.run(["chars", "jurisdiction"], {"plate": inputs[i : i + 1]}) for i in range(len(inputs))]
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])


def milliseconds(path: Path, rounds=400):
    """Best and median time of one read, one thread."""
    net = session(path)
    plate = np.random.default_rng(0).random((1, 1, HEIGHT, WIDTH), np.float32)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        net.run(None, {"plate": plate})
        times.append(1000 * (time.perf_counter() - start))
    return min(times), float(np.median(times))


def fit_text_temperature(logits, texts):
    """Temperature (0.3 to 3) that minimises the CTC loss of the labelled `texts` (those without '?'), each loss cut at 12 nats."""
    keep = [i for i, text in enumerate(texts) if "?" not in text]
    logits = torch.as_tensor(logits)[keep]
    lengths = torch.tensor([len(texts[i]) for i in keep])
    targets = torch.tensor([1 + ALPHABET.index(c) for i in keep for c in texts[i]])
    columns = torch.full((len(keep),), logits.shape[1])
    best = (1e9, 1.0)
    for temperature in np.geomspace(0.3, 3, 60):
        logs = F.log_softmax(logits / temperature, 2).transpose(0, 1)
        loss = F.ctc_loss(logs, targets, columns, lengths, reduction="none").clamp(max=12).mean().item()
        best = min(best, (loss, float(temperature)))
    return best[1]


def fit_region_temperature(logits, truth):
    """Temperature that minimises cross-entropy of the known jurisdictions."""
    known = truth != IGNORE
    best = (1e9, 1.0)
    for temperature in np.geomspace(0.3, 5, 85):
        loss = F.cross_entropy(torch.as_tensor(logits)[known] / temperature, torch.as_tensor(truth)[known]).item()
        best = min(best, (loss, float(temperature)))
    return best[1]


def expected_calibration_error(confidence, correct, bins=10):
    """Mean |confidence - accuracy| over equal-count bins."""
    order = np.argsort(confidence)
    return float(sum(abs(confidence[part].mean() - correct[part].mean()) * len(part) for part in np.array_split(order, bins)) / len(order))


class Calibration(CalibrationDataReader):
    """Feeds inputs one at a time to the quantiser."""

    def __init__(self, inputs):
        self.rest = iter(inputs)

    def get_next(self):
        plate = next(self.rest, None)
        return None if plate is None else {"plate": plate[None]}


def quantise(fp32: Path, int8: Path, inputs, scratch: Path):
    """Static QDQ int8 (U8 activations, S8 weights per channel); normalisation, last layers and log-softmax stay float.

    `Relu` is among the quantised operators so that it vanishes into the range of the convolution before it: left out, each convolution's output was
    quantised twice, which cost 11 % of the time and a third of the difference to fp32.
    """
    ready = scratch / "reader.ready.onnx"
    quant_pre_process(str(fp32), str(ready), skip_symbolic_shape=True)
    graph = onnx.load(str(ready)).graph
    makers = {out: node for node in graph.node for out in node.output}
    floating = [node.name for node in graph.node if node.op_type not in ("Conv", "Add", "Relu", "Gemm")]
    # the last linear layer of either output: first Conv or Gemm met on the way back from it
    for output in graph.output:
        node = makers[output.name]
        while node.op_type not in ("Conv", "Gemm"):
            floating.append(node.name)
            node = makers[node.input[0]]
        floating.append(node.name)
    # nothing before the stem convolution is quantised
    stem = next(node for node in graph.node if node.op_type == "Conv")
    front = [stem.input[0]]
    while front:
        node = makers.get(front.pop())
        if node is not None:
            floating.append(node.name)
            front.extend(node.input)
    quantize_static(
        str(ready), str(int8), Calibration(inputs), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=sorted(set(floating)),
        op_types_to_quantize=["Conv", "Add", "Relu", "Gemm"], calibrate_method=CalibrationMethod.Percentile,
        extra_options={"CalibPercentile": 99.995},
    )
    # the quantiser declares operator domains that it does not use; an older runtime may refuse them
    done = onnx.load(str(int8))
    kept = [domain for domain in done.opset_import if domain.domain in {node.domain for node in done.graph.node}]
    del done.opset_import[:]
    done.opset_import.extend(kept)
    onnx.save(done, str(int8))


def export_careful(reader, models: Path, tune_inputs, tune_logits, tune_regions, tune_rows, calibration, scratch: Path):
    """Write reader.careful.int8.onnx into `models`, beside a reader whose settings it shares: what its own temperatures would be is in its graph."""
    temperature = fit_text_temperature(tune_logits, [row["text"] for row in tune_rows])
    own = fit_region_temperature(tune_regions, np.array([jurisdiction_of(row["region"]) for row in tune_rows]))
    shared = json.loads((models / "reader.json").read_text())["jurisdiction_temperature"]
    with torch.no_grad():
        reader.jurisdiction.weight *= shared / own
        reader.jurisdiction.bias *= shared / own
    fp32 = scratch / "reader.careful.onnx"
    write(Export(reader, temperature).eval().to(memory_format=torch.contiguous_format), fp32, tune_inputs[:32])
    quantise(fp32, models / "reader.careful.int8.onnx", calibration, scratch)
    return {"temperature_in_graph": round(temperature, 3), "jurisdiction_temperature": round(own, 3)}


def write(net, path: Path, inputs):
    """Write `net` as ONNX and check the file against it on `inputs`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (torch.zeros(1, 1, HEIGHT, WIDTH),), str(path), input_names=["plate"], output_names=["chars", "jurisdiction"], opset_version=17, dynamo=False)
    with torch.no_grad():
        expected = net(torch.from_numpy(inputs))[0].numpy()
    gap = np.abs(run_all(path, inputs)[0] - expected).max()
    assert gap < 2e-3, f"{path.name} differs from the network by {gap}"


def export(reader, models: Path, tune_inputs, tune_logits, tune_regions, tune_rows, calibration, scratch: Path):
    """Write reader.onnx, reader.int8.onnx and reader.json into `models`; returns the settings written."""
    temperature = fit_text_temperature(tune_logits, [row["text"] for row in tune_rows])
    truth = np.array([jurisdiction_of(row["region"]) for row in tune_rows])
    region_temperature = fit_region_temperature(tune_regions, truth)
    net = Export(reader, temperature).eval().to(memory_format=torch.contiguous_format)
    fp32, int8 = models / "reader.onnx", models / "reader.int8.onnx"
    write(net, fp32, tune_inputs[:32])
    quantise(fp32, int8, calibration, scratch)
    half.store(fp32)
    written = models / "reader.json"
    kept = json.loads(written.read_text()) if written.exists() else {}
    settings = {
        "width": WIDTH, "height": HEIGHT, "columns_per_line": COLUMNS, "lines": 2, "alphabet": ALPHABET,
        "jurisdictions": list(JURISDICTIONS), "margin_x": MARGIN_X, "margin_y": MARGIN_Y,
        "temperature": 1.0, "temperature_in_graph": round(temperature, 3), "jurisdiction_temperature": round(region_temperature, 3),
    }
    # what was fitted on the whole product stays until calibrate.py fits it anew
    settings |= {key: kept[key] for key in ("look_again", "calibration", "formats") if key in kept}
    written.write_text(json.dumps(settings, indent=1) + "\n")
    return settings
