"""Trains one model, and scores it by cross-validation: the test rows are not for choosing."""

import argparse
import csv
import json

import joblib
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--c", type=float, required=True)
parser.add_argument("--kernel", required=True)
args = parser.parse_args()

with open("/in/data/iris.csv", newline="") as file:
    header, *rows = csv.reader(file)
features = [[float(value) for value in row[:-1]] for row in rows]
species = [row[-1] for row in rows]

model = make_pipeline(StandardScaler(), SVC(C=args.c, kernel=args.kernel))
scores = cross_val_score(model, features, species, cv=5)
model.fit(features, species)
joblib.dump(model, "/out/model/model.joblib")
with open("/out/metrics.json", "w") as file:
    json.dump({"accuracy": scores.mean(), "accuracy_std": scores.std()}, file)
print(f"C {args.c:.4g}, kernel {args.kernel}: accuracy {scores.mean():.4f}")
