"""Tiny text networks of every family with random weights, and their vectors as golden numbers.

Usage: python scripts/golden/text_networks.py

Writes tests/golden/data/text_networks/FAMILY/ as sentence-transformers folders, and
tests/golden/data/text_networks.json. The networks are transformers' own classes, pooled and
normalised by sentence-transformers; weights are seeded and far larger than those of training, so
that every part of a network shows in the result.

Texts are encoded with and without a prefix; a long one is cut into windows of token ids as
`SentenceBert::windows` does it, and each window goes through the network by itself.
"""

import filecmp
import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

warnings.filterwarnings("ignore", category=DeprecationWarning)
from sentence_transformers.models import Normalize, Pooling, Transformer  # noqa: E402

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "data" / "text_networks"
DIM, LAYERS, HEADS, WIDTH, POSITIONS = 24, 2, 3, 40, 160
OVERLAP = 20
PREFIX = "query: "
WORDS = "a the of and in to is her his story city night love war ship query child ghost two last".split()
TEXTS = [
    "A story of love and war.",
    "Ghosts haunt the last ship; two children in the city, naïve \N{EM DASH} her story is his.",
]
LONG = " ".join(
    f"{WORDS[n * 7 % len(WORDS)]} {WORDS[n * n % len(WORDS)]} {'ghosts' if n % 5 else 'wars,'}" for n in range(100)
)
KEPT = ["model.safetensors", "config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json"]


def word_piece(first: str, last: str, pad: str, unknown: str) -> Tokenizer:
    """BERT's kind: lower case, accents off, words in pieces."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = [first, pad, last, unknown, *".,:;-", *letters, *("##" + c for c in letters), *WORDS[1:]]
    vocabulary = {token: idx for idx, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def unigram() -> Tokenizer:
    """XLM-RoBERTa's kind: spaces are part of the words behind them."""
    letters = "abcdefghijklmnopqrstuvwxyzAGïü\N{LOWER ONE EIGHTH BLOCK}"
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *".,:;-", *letters]
    pieces += ["\N{LOWER ONE EIGHTH BLOCK}" + word for word in WORDS] + ["st", "or", "he", "il"]
    tokenizer = Tokenizer(models.Unigram([(p, 0.0 if i < 4 else -2.0 - i / 50) for i, p in enumerate(pieces)], unk_id=3))
    tokenizer.normalizer = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def with_special(tokenizer: Tokenizer, first: str, last: str) -> Tokenizer:
    ids = [(token, tokenizer.token_to_id(token)) for token in (first, last)]
    tokenizer.add_special_tokens([first, last])
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=ids)
    return tokenizer


def families() -> dict:
    """Name -> (network, tokenizer, its first, last, padding and unknown token, pooling)."""
    bert = ("[CLS]", "[SEP]", "[PAD]", "[UNK]")
    fairseq = ("<s>", "</s>", "<pad>", "<unk>")
    wide = {"hidden_size": DIM, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": WIDTH}
    pieces = word_piece(*bert).get_vocab_size()
    slim = {"dim": DIM, "n_layers": LAYERS, "n_heads": HEADS, "hidden_dim": WIDTH}
    return {
        "bert": (
            transformers.BertModel(transformers.BertConfig(vocab_size=pieces, max_position_embeddings=POSITIONS, **wide)),
            word_piece(*bert), bert, "cls",
        ),
        "distilbert": (
            transformers.DistilBertModel(transformers.DistilBertConfig(vocab_size=pieces, max_position_embeddings=POSITIONS, **slim)),
            word_piece(*bert), bert, "max",
        ),
        "mpnet": (
            transformers.MPNetModel(transformers.MPNetConfig(vocab_size=pieces, max_position_embeddings=POSITIONS + 2, layer_norm_eps=1e-5, **wide)),
            word_piece(*fairseq), fairseq, "mean",
        ),
        "xlm-roberta": (
            transformers.XLMRobertaModel(transformers.XLMRobertaConfig(
                vocab_size=unigram().get_vocab_size(), max_position_embeddings=POSITIONS + 2, pad_token_id=1,
                type_vocab_size=1, layer_norm_eps=1e-5, **wide)),
            unigram(), fairseq, "mean",
        ),
    }


def randomise(network: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(network.named_parameters()):
            scale = 1.0 if "embedding" in name or "attention_bias" in name else 0.25
            weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
            if "norm" in name.lower() and name.endswith("weight"):
                weight.add_(1.0)


def sentence_transformer(network, tokenizer, special, pooling, folder: Path) -> SentenceTransformer:
    first, last, pad, unknown = special
    network.save_pretrained(folder)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=with_special(tokenizer, first, last), model_max_length=POSITIONS,
        cls_token=first, sep_token=last, pad_token=pad, unk_token=unknown,
    )
    fast.save_pretrained(folder)
    return SentenceTransformer(modules=[Transformer(str(folder)), Pooling(DIM, pooling_mode=pooling), Normalize()], device="cpu")


def windows(ids: list[int], room: int) -> list[list[int]]:
    starts, start = [], 0
    while start + room < len(ids):
        starts.append(start)
        start += room - OVERLAP
    starts.append(max(0, len(ids) - room))
    return [ids[s : s + room] for s in starts]


def encoded(model: SentenceTransformer, prefix: str, text: str) -> dict:
    tokenizer = model.tokenizer
    whole = tokenizer(prefix + text, add_special_tokens=False, return_offsets_mapping=True, truncation=False)
    num_prefix = sum(1 for _, end in whole["offset_mapping"] if end <= len(prefix))
    front = [tokenizer.cls_token_id, *whole["input_ids"][:num_prefix]]
    entry = {"prefix": prefix, "text": text, "windows": []}
    for ids in windows(whole["input_ids"][num_prefix:], POSITIONS - len(front) - 1):
        ids = [*front, *ids, tokenizer.sep_token_id]
        features = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
        with torch.no_grad():
            vector = model(features)["sentence_embedding"][0]
        entry["windows"].append({"ids": ids, "vector": [float(f"{x:.8g}") for x in vector.double().tolist()]})
    # The first window is what sentence-transformers itself makes of the text.
    itself = model.encode([text], prompt=prefix, convert_to_tensor=True)[0]
    first = torch.tensor(entry["windows"][0]["vector"], dtype=itself.dtype)
    assert torch.allclose(itself, first, atol=1e-6), (prefix, text)
    return entry


def keep(whole: Path, family: Path) -> None:
    """Copies what is kept; what another family has word for word becomes a link to it."""
    for kept in KEPT:
        target = family / kept
        target.parent.mkdir(parents=True, exist_ok=True)
        files = (file for file in sorted(OUT.glob(f"*/{kept}")) if not file.is_symlink())
        twin = next((file for file in files if filecmp.cmp(file, whole / kept, shallow=False)), None)
        if twin is None:
            shutil.copyfile(whole / kept, target)
        else:
            target.symlink_to(os.path.relpath(twin, target.parent))


def main() -> None:
    document = {
        "made_by": "scripts/golden/text_networks.py",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "sentence_transformers": sentence_transformers.__version__,
        "max_tokens": POSITIONS,
        "overlap": OVERLAP,
        "models": {},
    }
    shutil.rmtree(OUT)
    for seed, (name, (network, tokenizer, special, pooling)) in enumerate(families().items()):
        randomise(network, seed)
        with tempfile.TemporaryDirectory() as folder:
            model = sentence_transformer(network.eval(), tokenizer, special, pooling, Path(folder) / "network")
            model.max_seq_length = POSITIONS
            texts = [encoded(model, prefix, text) for prefix in ("", PREFIX) for text in (*TEXTS, LONG)]
            assert len(texts[2]["windows"]) > 2 and len(texts[-1]["windows"]) > 2
            model.save(str(Path(folder) / "whole"), create_model_card=False)
            keep(Path(folder) / "whole", OUT / name)
        document["models"][name] = {"pooling": pooling, "texts": texts}
    OUT.with_suffix(".json").write_text(json.dumps(document, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
