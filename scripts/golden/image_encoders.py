"""Tiny image encoders with random weights and what the reference libraries make of a picture.

Usage: python scripts/golden/image_encoders.py

Needs torch, transformers, timm, safetensors, numpy. Each network is a folder in
tests/golden/data/image_encoders as a hub would have it; the embeddings stand in
image_encoders.json. The picture is computed with whole numbers, so that the test can compute it
too (tests/golden/networks.rs).
"""

import json
import shutil
from pathlib import Path

import numpy as np
import timm
import torch
import transformers
from safetensors.torch import save_file
from timm.models.resnet import BasicBlock, Bottleneck, ResNet

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "data"
FOLDER = OUT / "image_encoders"
IMAGE_NET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def picture(side: int) -> np.ndarray:
    """As in efficientnet_lite.py: [side, side, 3] bytes."""
    y, x, c = np.meshgrid(np.arange(side), np.arange(side), np.arange(3), indexing="ij")
    rings = ((x - side // 3) ** 2 + (y - side // 2) ** 2) // 97
    return ((3 * x * (c + 1) + 5 * y * (3 - c) + 11 * rings + (x * y) // 13 * (c + 2)) % 256).astype(np.uint8)


def randomize(network: torch.nn.Module, seed: int) -> None:
    """Weights that keep numbers in range and let every tensor be heard."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            continue
        x = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            x = 1 + 0.5 * x.abs()
        elif "layer_scale" in name or "lambda" in name:
            x = 0.6 + 0.2 * x
        elif tensor.ndim >= 2 and "position" not in name:
            x /= tensor[0].numel() ** 0.5
        elif name.endswith("weight") and tensor.ndim == 1:
            x = 1 + 0.2 * x
        else:
            x *= 0.3
        tensor.copy_(x)


def embed(network, side: int, normalization) -> list[float]:
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in normalization)
    pixels = torch.from_numpy(picture(side).astype(np.float32)).permute(2, 0, 1) / 255.0
    with torch.no_grad():
        vector = network(((pixels - mean) / std)[None])[0].flatten()
    return [float(f"{x:.8g}") for x in vector.double().tolist()]


def save(name: str, network, files: dict) -> None:
    folder = FOLDER / name
    folder.mkdir(parents=True)
    tensors = {key: x.contiguous() for key, x in network.state_dict().items() if x.is_floating_point()}
    save_file(tensors, folder / "model.safetensors")
    for file, content in files.items():
        (folder / file).write_text(json.dumps(content, indent=1) + "\n")


def by_timm(name: str, block, seed: int, side: int, files: dict, normalization=IMAGE_NET) -> dict:
    network = ResNet(block, layers=[2, 1, 1, 1], channels=(8, 12, 16, 20), num_classes=0).eval()
    randomize(network, seed)
    save(name, network, files)
    return {"side_px": side, "embedding": embed(network, side, normalization)}


def by_transformers(name: str, model, output, seed: int, side: int, preprocessor: dict, normalization) -> dict:
    model = model.eval()
    randomize(model, seed)
    folder = FOLDER / name
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=1) + "\n")
    return {"side_px": side, "embedding": embed(lambda x: getattr(model(x), output), side, normalization)}


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    half = ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
    clip = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
    transformer = {"num_hidden_layers": 2, "num_attention_heads": 3, "hidden_size": 24, "intermediate_size": 40}
    timm_config = {"architecture": "resnet10t", "pretrained_cfg": {"input_size": [3, 65, 65], "mean": half[0], "std": half[1]}}
    networks = {
        "resnet-basic": by_timm("resnet-basic", BasicBlock, 1, 65, {"config.json": timm_config}, half),
        "resnet-bottleneck": by_timm("resnet-bottleneck", Bottleneck, 2, 224, {}),
        "resnet": by_transformers(
            "resnet",
            transformers.ResNetForImageClassification(
                transformers.ResNetConfig(embedding_size=8, hidden_sizes=[16, 24, 32], depths=[1, 2, 1],
                                          downsample_in_bottleneck=True, num_labels=2)
            ).resnet,
            "pooler_output", 3, 70, {"size": {"shortest_edge": 70}, "crop_pct": 0.875}, IMAGE_NET,
        ),
        "convnext": by_transformers(
            "convnext", transformers.ConvNextModel(transformers.ConvNextConfig(hidden_sizes=[8, 12, 20, 24], depths=[1, 1, 2, 1])),
            "pooler_output", 4, 100, {"size": {"shortest_edge": 100}}, IMAGE_NET,
        ),
        "clip": by_transformers(
            "clip",
            transformers.CLIPVisionModelWithProjection(
                transformers.CLIPVisionConfig(**transformer, image_size=40, patch_size=8, projection_dim=12)
            ),
            "image_embeds", 5, 40,
            {"size": {"shortest_edge": 40}, "crop_size": 40, "do_center_crop": True, "image_mean": clip[0], "image_std": clip[1]}, clip,
        ),
        "siglip": by_transformers(
            "siglip", transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**transformer, image_size=48, patch_size=8)),
            "pooler_output", 6, 48, {"size": {"height": 48, "width": 48}}, half,
        ),
        # Trained at 70 pixels, looked at with 98: positions are interpolated.
        "dinov2": by_transformers(
            "dinov2",
            transformers.Dinov2Model(
                transformers.Dinov2Config(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, mlp_ratio=2,
                                          image_size=70, patch_size=14)
            ),
            "pooler_output", 7, 98,
            {"size": {"shortest_edge": 120}, "crop_size": {"height": 98, "width": 98}, "do_center_crop": True}, IMAGE_NET,
        ),
    }
    document = {
        "made_by": "scripts/golden/image_encoders.py",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "timm": timm.__version__,
        "networks": networks,
    }
    (OUT / "image_encoders.json").write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
