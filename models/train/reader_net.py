"""The reader's network and how its output becomes text."""

import torch
from torch import nn

HEIGHT, WIDTH = 64, 160
COLUMNS = 40  # output columns of one line
CLASSES = 37  # blank, 0-9, A-Z
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class ConvBlock(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs, outputs, kernel=3, stride=1, padding=None):
        if padding is None:
            padding = tuple(k // 2 for k in kernel) if isinstance(kernel, tuple) else kernel // 2
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )


class Residual(nn.Module):
    """x + block(x)."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x):
        return x + self.block(x)


class Reader(nn.Module):
    """Grey plate [B, 1, 64, 160] in 0..1 -> character logits [B, 80, 37] and jurisdiction logits [B, jurisdictions].

    A 4x4 patch stem, dense 3x3 convolutions down to 4 x 40, then the height folds into channels and a few 1-D
    convolutions look along the line. Columns 0..39 are the upper or only line, 40..79 the lower line of two.
    """

    def __init__(self, jurisdictions, widths=(32, 64, 96, 128, 128)):
        super().__init__()
        a, b, c, d, e = widths
        self.trunk = nn.Sequential(
            ConvBlock(1, a, 4, 4, 0),  # 16 x 40
            ConvBlock(a, b),
            ConvBlock(b, c, 3, (2, 1)),  # 8 x 40
            Residual(ConvBlock(c, c)),  # what the jurisdiction head sees too
            ConvBlock(c, d, 3, (2, 1)),  # 4 x 40
            Residual(ConvBlock(d, d)),
            Residual(ConvBlock(d, d)),
        )
        self.along = nn.Sequential(
            ConvBlock(d, e, (4, 1), 1, (0, 0)),  # 1 x 40
            Residual(ConvBlock(e, e, (1, 5))),
            Residual(ConvBlock(e, e, (1, 5))),
        )
        self.drop = nn.Dropout(0.1)
        self.chars = nn.Conv2d(e, 2 * CLASSES, 1)
        self.region = nn.Sequential(  # 4 x 20: small lettering needs the finer map, and where on the plate it stands
            ConvBlock(c, 48, 3, 2), Residual(ConvBlock(48, 48)), nn.Flatten(), nn.Dropout(0.2), nn.Linear(48 * 4 * COLUMNS // 2, 96), nn.ReLU(inplace=True)
        )
        self.jurisdiction = nn.Linear(96 + e, jurisdictions)

    def forward(self, plate):
        mean = plate.mean((2, 3), keepdim=True)
        centred = plate - mean
        scale = (centred * centred).mean((2, 3), keepdim=True).sqrt() + 0.03
        fine = self.trunk[:4](centred / scale)
        line = self.along(self.trunk[4:](fine))
        logits = self.chars(self.drop(line)).squeeze(2)  # [B, 74, 40]
        chars = torch.cat([logits[:, :CLASSES], logits[:, CLASSES:]], 2).transpose(1, 2)
        region = torch.cat([self.region(fine), line.mean((2, 3))], 1)
        return chars, self.jurisdiction(region)


CAREFUL = (64, 128, 192, 256, 256)  # widths of the careful reader: each twice the reader's, so four times its work


def widened(state, wide):
    """State of `wide`, a `Reader` with each width twice that of the network of `state`, that computes the same: every channel is there twice, and who
    listens to it takes half of each (Chen, Goodfellow, Shlens, *Net2Net*, 2016). A little noise tells the twins apart."""
    result = {}
    for name, want in wide.state_dict().items():
        value = state[name]
        for axis in range(value.ndim):
            if want.shape[axis] == value.shape[axis]:
                continue
            same = value.shape[axis] - (want.shape[axis] - value.shape[axis])  # leading inputs that are not twins (the jurisdiction's)
            head, twins = value.narrow(axis, 0, same), value.narrow(axis, same, value.shape[axis] - same)
            if axis == 1:
                twins = twins / 2
            value = torch.cat([head, twins, twins], axis)
        if want.ndim > 1 and want.shape != state[name].shape:
            value = value * (1 + 0.15 * torch.randn(want.shape))
        result[name] = value
    return result


@torch.no_grad()
def settle(reader, plates):
    """Gives batch norms whose statistics were folded away those of `plates`, so that training starts from the function that the network computes."""
    norms, seen = [module for module in reader.modules() if isinstance(module, nn.BatchNorm2d)], {}
    hooks = [norm.register_forward_pre_hook(lambda norm, inputs: seen.update({norm: inputs[0]})) for norm in norms]
    reader.eval()(plates)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        mean, variance = seen[norm].mean((0, 2, 3)), seen[norm].var((0, 2, 3)) + 1e-6
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        norm.bias += (mean - norm.running_mean) * scale
        norm.weight.copy_(scale * (variance + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)


class Export(nn.Module):
    """What the ONNX file computes: log-probabilities at the fitted temperature, jurisdiction logits as they are."""

    def __init__(self, reader, temperature):
        super().__init__()
        self.reader, self.temperature = reader, temperature

    def forward(self, plate):
        chars, jurisdiction = self.reader(plate)
        return torch.log_softmax(chars / self.temperature, 2), jurisdiction


def shipped_weights(path):
    """State of a `Reader` that computes what an exported fp32 `reader.onnx` computes: each batch norm only adds the bias that was folded."""
    import half
    import onnx

    graph = onnx.load(str(path)).graph
    values = {name: torch.from_numpy(tensor) for name, tensor in half.weights(path).items()}
    linear = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    stem = next(node for node in linear if node.op_type == "Conv")
    reader = Reader(values[linear[-1].input[2]].numel(), *([CAREFUL] if values[stem.input[2]].numel() == CAREFUL[0] else []))
    state = reader.state_dict()
    layers = [name for name, module in reader.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    assert len(layers) == len(linear), "the network in the file is another one"
    for name, node in zip(layers, linear):
        weight, bias = values[node.input[1]], values[node.input[2]]
        assert state[name + ".weight"].shape == weight.shape, name
        state[name + ".weight"] = weight
        if name + ".bias" in state:
            state[name + ".bias"] = bias
            continue
        norm = name[:-1] + "1"  # a ConvBlock: convolution 0, batch norm 1
        state[norm + ".weight"], state[norm + ".bias"] = torch.ones_like(bias), bias
        state[norm + ".running_mean"], state[norm + ".running_var"] = torch.zeros_like(bias), torch.full_like(bias, 1 - 1e-5)
    return state


def weights(path):
    """The averaged weights of a checkpoint, or those of an exported fp32 network."""
    return shipped_weights(path) if str(path).endswith(".onnx") else torch.load(path)["average"]


def greedy(best):
    """CTC text of a sequence of class indices (any iterable of int)."""
    text, last = [], 0
    for index in best:
        if index != last and index:
            text.append(ALPHABET[index - 1])
        last = index
    return "".join(text)


def beam(columns, width=8, least=1e-3):
    """Most probable CTC text of `columns` [T, 37] probabilities, summed over layouts; prefix beam search as the lane decodes."""
    prefixes = {(): (1.0, 0.0)}  # classes so far -> probability ending in blank, in the last character
    for column in columns:
        symbols = [(k, float(column[k])) for k in (column > least).nonzero()[0] if k]
        following = {}

        def add(prefix, blank, symbol):
            b, s = following.get(prefix, (0.0, 0.0))
            following[prefix] = (b + blank, s + symbol)

        for prefix, (blank, symbol) in prefixes.items():
            stay = symbol * float(column[prefix[-1]]) if prefix else 0.0
            add(prefix, (blank + symbol) * float(column[0]), stay)
            for klass, probability in symbols:
                add(prefix + (klass,), 0.0, (blank if prefix and prefix[-1] == klass else blank + symbol) * probability)
        prefixes = dict(sorted(following.items(), key=lambda item: -sum(item[1]))[:width])
    best = max(prefixes.items(), key=lambda item: sum(item[1]))
    return "".join(ALPHABET[k - 1] for k in best[0]), sum(best[1])


def fold(text):
    """O, Q and 0 alike, I and 1 alike."""
    return text.replace("O", "0").replace("Q", "0").replace("I", "1")


def edits(a, b):
    """Levenshtein distance."""
    row = list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, cb in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (ca != cb))
    return row[-1]
