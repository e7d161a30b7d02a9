"""The layers of a language model as a space of words, for `semgpu test --words NAME=FILE.npz --features words`.

    python word_layers.py MODEL concepts.txt layers.npz ["A photo of a {}." ...]

MODEL is what Transformers loads: a folder or a name. Every word stands in every template; its vector at a layer is the mean over
its tokens, then over the templates. layers.npz holds `layer0`, what the first block takes, `layer1` to the last, and the
concepts' names, by which semgpu brings rows into order. Needs torch and transformers.
"""
import sys

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

model, concepts, out, *templates = sys.argv[1:]
templates = templates or ["This is a picture of a {}."]
words = [line for line in open(concepts, encoding="utf-8").read().splitlines() if line]
tokenizer, network = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()

for template in templates:
    if template.count("{}") != 1:
        sys.exit(f"template {template!r}: expected one {{}}, where the word stands, such as \"A photo of a {{}}.\"")

layers = []
for word in words:
    seen = []
    for template in templates:
        before = template.split("{}")[0]
        start, end = len(before), len(before) + len(word)
        text = tokenizer(template.replace("{}", word), return_offsets_mapping=True, return_tensors="pt")
        # Tokens that share a letter with the word; special ones are empty.
        places = text.pop("offset_mapping")[0]
        own = [n for n, (first, last) in enumerate(places.tolist()) if first < end and last > start and last > first]
        if not own:
            sys.exit(f"{concepts}: {word!r} in {template!r} has no token of its own; spell it as the model's text has it, or leave it out")
        with torch.no_grad():
            states = network(**text, output_hidden_states=True).hidden_states
        seen.append(torch.stack([state[0, own].mean(0) for state in states]))
    layers.append(torch.stack(seen).mean(0))

layers = torch.stack(layers, 1).float().numpy()
np.savez(out, concepts=np.array(words), **{f"layer{n}": layer for n, layer in enumerate(layers)})
print(f"{out}: {len(layers)} layers of {len(words)} words x {layers.shape[2]}")
