#!/usr/bin/env python3
"""A tiny CLIP of both towers with random weights, and how well a picture fits some genres.

Writes tests/golden/data/clip_zero_shot/ as a hub would have it and clip_zero_shot.json. Needs
torch, transformers, tokenizers and numpy. The weights are far larger than those of training, so
that every part of both towers shows in the result.
"""

import json
import shutil
from pathlib import Path

import torch
import transformers
from image_encoders import picture, randomize
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "data"
FOLDER = OUT / "clip_zero_shot"
SIDE = 40
LABELS = ["comedy", "film noir", "Sci-Fi"]
PROMPTS = ["a poster of a {} film", "{}, in the cinema"]
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def tokenizer() -> Tokenizer:
    """CLIP's kind: lower case, pairs of letters joined, the end of a word marked."""
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("-,")
    merges = [("f", "i"), ("l", "m</w>"), ("fi", "lm</w>"), ("o", "s"), ("c", "o"), ("n", "o")]
    joined = ["fi", "lm</w>", "film</w>", "os", "co", "no"]
    vocabulary = letters + [c + "</w>" for c in letters] + joined + ["<|startoftext|>", "<|endoftext|>"]
    bpe = models.BPE(
        vocab={token: idx for idx, token in enumerate(vocabulary)}, merges=merges,
        end_of_word_suffix="</w>", unk_token="<|endoftext|>",
    )
    made = Tokenizer(bpe)
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace()])
    made.decoder = decoders.BPEDecoder()
    begin, end = "<|startoftext|>", "<|endoftext|>"
    made.add_special_tokens([begin, end])
    made.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        special_tokens=[(begin, made.token_to_id(begin)), (end, made.token_to_id(end))],
    )
    return made


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    words = tokenizer()
    end = words.token_to_id("<|endoftext|>")
    tower = {"num_hidden_layers": 2, "num_attention_heads": 3, "hidden_size": 24, "intermediate_size": 40}
    config = transformers.CLIPConfig(
        text_config={**tower, "vocab_size": words.get_vocab_size(), "max_position_embeddings": 40,
                     "eos_token_id": end, "bos_token_id": end - 1, "pad_token_id": end},
        vision_config={**tower, "image_size": SIDE, "patch_size": 8},
        projection_dim=12,
    )
    model = transformers.CLIPModel(config).eval()
    randomize(model, 8)
    with torch.no_grad():
        model.logit_scale.fill_(2.5)
    model.save_pretrained(FOLDER)
    words.save(str(FOLDER / "tokenizer.json"))

    pixels = torch.from_numpy(picture(SIDE)).float().permute(2, 0, 1) / 255
    pixels = (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    directions, single = [], {}
    with torch.no_grad():
        for label in LABELS:
            logits, embeddings = [], []
            for prompt in PROMPTS:
                ids = torch.tensor([words.encode(prompt.format(label)).ids])
                result = model(input_ids=ids, pixel_values=pixels[None])
                logits.append(float(result.logits_per_image[0, 0]))
                embeddings.append(result.text_embeds[0])
            single[label] = logits
            mean = torch.stack(embeddings).mean(0)
            directions.append(mean / mean.norm())
        image = result.image_embeds[0]
        both = (torch.stack(directions) @ image * model.logit_scale.exp()).tolist()
    golden = {
        "made_by": "scripts/golden/clip_zero_shot.py",
        "transformers": transformers.__version__,
        "side_px": SIDE, "labels": LABELS, "prompts": PROMPTS,
        "first_prompt": [single[label][0] for label in LABELS],
        "second_prompt": [single[label][1] for label in LABELS],
        "both_prompts": both,
    }
    (OUT / "clip_zero_shot.json").write_text(json.dumps(golden, indent=1) + "\n")
    print(golden)


if __name__ == "__main__":
    main()
