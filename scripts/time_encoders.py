#!/usr/bin/env python3
"""The networks of `scripts/bench_encoders` in PyTorch, ONNX Runtime and OpenVINO, on its inputs.

    scripts/time_encoders.py FOLDER CACHE [NETWORK…]

FOLDER holds NAME.in and NAME.out of `bench_encoders` and the ResNets' random weights, CACHE the
others' weights. One line a measurement:
library, network, threads, batch, CPU ms an item, wall ms an item, and the largest difference from
cinetag's result as part of the largest value.
"""

import copy
import io
import sys
import time
from pathlib import Path

import numpy as np
import torch

BATCHES, THREADS = [1, 32], [1, 2]
ROUNDS, ROUND_SECS = 5, 0.4


def measure(library, name, threads, run, inputs, expected):
    found = run(inputs)
    error = np.abs(found - expected).max() / np.abs(expected).max()
    for batch in BATCHES:
        part = tuple(x[:batch] for x in inputs)
        run(part)
        rounds = []
        for _ in range(ROUNDS):
            cpu, wall, items = time.process_time(), time.perf_counter(), 0
            while time.perf_counter() - wall < ROUND_SECS:
                run(part)
                items += batch
            rounds.append((1e3 * (time.process_time() - cpu) / items, 1e3 * (time.perf_counter() - wall) / items))
        cpu, wall = sorted(rounds)[ROUNDS // 2]
        print(f"{library}\t{name}\t{threads}\t{batch}\t{cpu:.2f}\t{wall:.2f}\t{error:.1e}", flush=True)


def in_each(name, net, inputs, names, expected):
    """Times a network that takes arrays `inputs`, called `names`, in every library."""
    tensors = tuple(torch.from_numpy(x) for x in inputs)
    axes = {n: {0: "batch"} for n in [*names, "y"]}
    buffer = io.BytesIO()
    torch.onnx.export(net, tuple(t[:2] for t in tensors), buffer, input_names=names, output_names=["y"],
                      dynamic_axes=axes, dynamo=False, opset_version=17)
    for threads in THREADS:
        torch.set_num_threads(threads)
        is_picture = tensors[0].ndim == 4

        def with_torch(x):
            with torch.inference_mode():
                x = tuple(torch.from_numpy(a) for a in x)
                if is_picture:
                    x = tuple(a.contiguous(memory_format=torch.channels_last) for a in x)
                return net(*x).numpy()

        if is_picture:
            net = net.to(memory_format=torch.channels_last)
        measure("PyTorch", name, threads, with_torch, inputs, expected)

        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])
        measure("ONNX Runtime", name, threads, lambda x: session.run(None, dict(zip(names, x)))[0], inputs, expected)

        import openvino
        core = openvino.Core()
        model = core.read_model(io.BytesIO(buffer.getvalue()))
        # Left alone it takes bf16 on processors that have it; on others it takes f32 all the same.
        for word in ("f32", "bf16"):
            config = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": word}
            compiled = core.compile_model(model, "CPU", config)
            measure(f"OpenVINO {word}", name, threads, lambda x: compiled(list(x))[0], inputs, expected)

    if torch.cuda.is_available():
        on_cuda(name, net, tensors, expected)


def on_cuda(name, net, tensors, expected):
    """Items a second of PyTorch on the CUDA device in each precision, copies there and back counted."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # f32 as cinetag's
    for word, dtype in [("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16)]:
        there = copy.deepcopy(net).to("cuda", dtype)

        def run(part):
            with torch.inference_mode():
                x = (x.to("cuda", dtype if x.is_floating_point() else None) for x in part)
                x = (x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x for x in x)
                return there(*x).float().cpu().numpy()

        error = np.abs(run(tensors) - expected).max() / np.abs(expected).max()
        for batch in BATCHES:
            part = tuple(x[:batch] for x in tensors)
            rounds = []
            for _ in range(ROUNDS):
                started, items = time.perf_counter(), 0
                while time.perf_counter() - started < ROUND_SECS:
                    run(part)
                    items += batch
                rounds.append(items / (time.perf_counter() - started))
            rate = sorted(rounds)[ROUNDS // 2]
            print(f"PyTorch cuda\t{name}\t{word}\t{batch}\t{rate:.0f}\t{error:.1e}", flush=True)


def pictures(folder, cache, name, side):
    from efficientnet_lite_pytorch import EfficientNet
    from safetensors.torch import load_file

    class Trunk(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = EfficientNet.from_name(name)
            left_out = self.net.load_state_dict(load_file(cache / name / "model.safetensors"), strict=False)
            assert all("num_batches_tracked" in key or "_fc" in key for key in left_out.missing_keys), left_out

        def forward(self, x):
            return self.net.extract_features(x).mean((2, 3))

    rgb = np.fromfile(folder / f"{name}.in", np.uint8).reshape(-1, side, side, 3)
    x = np.ascontiguousarray(((rgb.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2))
    expected = np.fromfile(folder / f"{name}.out", np.float32).reshape(len(x), -1)
    in_each(name, Trunk().eval(), (x,), ["x"], expected)


def resnets(folder, name):
    import torchvision
    from safetensors.torch import load_file

    net = torchvision.models.get_model(name, weights=None)
    left_out = net.load_state_dict(load_file(folder / name / "model.safetensors"), strict=False)
    assert all("num_batches_tracked" in key or key.startswith("fc.") for key in left_out.missing_keys), left_out
    net.fc = torch.nn.Identity()
    rgb = np.fromfile(folder / f"{name}.in", np.uint8).reshape(-1, 224, 224, 3)
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    x = np.ascontiguousarray(((rgb / np.float32(255) - mean) / std).transpose(0, 3, 1, 2))
    expected = np.fromfile(folder / f"{name}.out", np.float32).reshape(len(x), -1)
    in_each(name, net.eval(), (x,), ["x"], expected)


def texts(folder, cache, name):
    from transformers import AutoModel

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = AutoModel.from_pretrained(cache / name, attn_implementation="eager")

        def forward(self, ids, mask):
            mean = self.net(input_ids=ids, attention_mask=mask).last_hidden_state.mean(1)
            return torch.nn.functional.normalize(mean)

    expected = np.fromfile(folder / f"{name}.out", np.float32).reshape(32, -1)
    ids = np.fromfile(folder / f"{name}.in", np.uint32).reshape(32, -1).astype(np.int64)
    in_each(name, Mean().eval(), (ids, np.ones_like(ids)), ["ids", "mask"], expected)


if __name__ == "__main__":
    folder, cache, wanted = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    runs = {
        "efficientnet-lite0": lambda name: pictures(folder, cache, name, 224),
        "efficientnet-lite2": lambda name: pictures(folder, cache, name, 260),
        "resnet18": lambda name: resnets(folder, name),
        "resnet50": lambda name: resnets(folder, name),
        "all-minilm-l6-v2": lambda name: texts(folder, cache, name),
    }
    for name in wanted or runs:
        runs[name](name)
