"""The curated list: concept -> category, in the order of the manifest."""

import csv
from pathlib import Path

with open(Path(__file__).with_name("concepts.csv"), newline="") as file:
    CONCEPTS = {row["concept"]: row["category"] for row in csv.DictReader(file)}

assert len(CONCEPTS) == 166
assert list(CONCEPTS) == sorted(CONCEPTS)
