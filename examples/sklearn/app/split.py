"""Parts the flowers into those to train on and those to test with."""

import argparse
import csv
from pathlib import Path

from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--test-share", type=float, required=True)
args = parser.parse_args()

with open("/in/data/iris.csv", newline="") as file:
    header, *rows = csv.reader(file)
parts = train_test_split(rows, test_size=args.test_share, stratify=[row[-1] for row in rows], random_state=1)
for name, part in zip(["train", "test"], parts):
    with open(Path("/out") / name / "iris.csv", "w", newline="") as file:
        csv.writer(file).writerows([header, *part])
    print(f"{len(part)} flowers to {name}")
