"""CLIP's tokenizer, learnt on the prompts of the product: byte-pair encoding with `</w>` at the end of a word.

The words that the small world knows are whole tokens; the rest of the vocabulary is learnt from all phrases and nouns of
ImageNet-D, so that every prompt of the product has a short form. Source: Sennrich et al. 2016; Radford et al. 2021.
"""

import json
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MERGES = 1200
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
POSITIONS = 24


def bytes_to_letters() -> list[str]:
    """GPT-2's 256 letters that stand for bytes, in the order of CLIP's vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + at) for at in range(len(rest))]


def words_of(text: str) -> list[str]:
    return re.findall(r"'s|[a-z]+|[0-9]|[^\sa-z0-9]+", text.lower())


def counts(known_prompts: list[str]) -> Counter:
    """How often each word counts: those of the small world far more than all others."""
    found = Counter()
    for kind in ["background", "texture", "material"]:
        text = (ROOT / f"nuisances/{kind}.toml").read_text()
        for phrase in re.findall(r'phrase = "([^"]+)"', text):
            found.update(words_of(phrase))
    text = (ROOT / "categories/imagenet-d.toml").read_text()
    for line in text.splitlines():
        noun = re.search(r'noun = "([^"]+)"', line) or re.search(r'name = "([^"]+)"', line)
        if noun:
            found.update(words_of(noun.group(1)))
    for word in {word for prompt in known_prompts for word in words_of(prompt)}:
        found[word] += 1_000_000
    return found


def learnt_merges(found: Counter) -> list[tuple[str, str]]:
    words = {word: [*word[:-1], word[-1] + "</w>"] for word in found}
    merges = []
    while len(merges) < MERGES:
        pairs = Counter()
        for word, parts in words.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += found[word]
        if not pairs:
            break
        best = max(sorted(pairs), key=lambda pair: pairs[pair])
        merges.append(best)
        for word, parts in words.items():
            words[word] = joined(parts, best)
    return merges


def joined(parts: list[str], pair: tuple[str, str]) -> list[str]:
    result, at = [], 0
    while at < len(parts):
        both = tuple(parts[at : at + 2]) == pair
        result.append("".join(pair) if both else parts[at])
        at += 2 if both else 1
    return result


def write_tokenizer(folder: Path, known_prompts: list[str]) -> int:
    """Writes vocab.json, merges.txt and the two small files beside them; gives the number of tokens."""
    merges = learnt_merges(counts(known_prompts))
    letters = bytes_to_letters()
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in merges] + [BEGIN, END]
    vocabulary = {token: at for at, token in enumerate(dict.fromkeys(tokens))}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    special = {"bos_token": BEGIN, "eos_token": END, "unk_token": END, "pad_token": END}
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")
    config = special | {"tokenizer_class": "CLIPTokenizer", "model_max_length": POSITIONS, "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return len(vocabulary)
