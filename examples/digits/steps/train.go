package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/examples/digits/data"
	"github.com/fairlead/fairlead/examples/digits/internal/nn"
)

// scale brings pixels to the range from 0 to 1.
const scale = 1.0 / data.Black

// validationShare is the share of the training rows that networks are compared by.
// The test rows are for none but the one that is chosen: the best of several on the
// same rows is partly the luckiest.
const validationShare = 0.2

// train reads data/train.csv and writes model/weights.json and metrics.json.
func train(args []string, in, out string, log io.Writer) error {
	flags := flag.NewFlagSet("train", flag.ContinueOnError)
	hidden := flags.Int("hidden", 64, "hidden units")
	seed := flags.Uint64("seed", 1, "seed of all randomness")
	epochs := flags.Int("epochs", 30, "passes over the rows")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *hidden < 1 || *hidden > 4096 || *epochs < 1 {
		return fmt.Errorf("--hidden %d must be from 1 to 4096, and --epochs %d at least 1", *hidden, *epochs)
	}
	path := filepath.Join(in, "data", "train.csv")
	digits, err := readRows(path)
	if err != nil {
		return err
	}
	sum, err := sha256Of(path)
	if err != nil {
		return err
	}
	fitRows, validationRows := data.SplitBy(digits, validationShare)
	random := rand.New(rand.NewPCG(*seed, 0))
	network := nn.New(random, data.Pixels, *hidden, data.Classes)
	nn.Train(network, examples(fitRows), nn.Options{Epochs: *epochs, Batch: 16, Rate: 0.05, Momentum: 0.9, Decay: 1e-3}, random)

	validation := examples(validationRows)
	accuracy, loss := network.Accuracy(validation), network.Loss(validation)
	fmt.Fprintf(log, "%d hidden units, seed %d, %d epochs on %d rows: accuracy %.4f, loss %.4f on %d others\n",
		*hidden, *seed, *epochs, len(fitRows), accuracy, loss, len(validation))
	weights := &nn.Weights{
		FormatVersion: nn.WeightsFormat, Name: "digits", Kind: "mlp", Scale: scale,
		Accuracy: accuracy, TrainRows: len(fitRows), TestRows: len(validation), Seed: *seed, DataSHA256: sum, Network: *network,
	}
	model := filepath.Join(out, "model")
	if err := os.MkdirAll(model, 0o755); err != nil {
		return err
	}
	if err := weights.Save(filepath.Join(model, "weights.json")); err != nil {
		return err
	}
	return writeFile(filepath.Join(out, "metrics.json"), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(map[string]float64{"accuracy": accuracy, "loss": loss})
	})
}

func examples(digits []data.Digit) []nn.Example {
	made := make([]nn.Example, len(digits))
	for i, d := range digits {
		made[i] = nn.Example{X: make([]float64, data.Pixels), Class: d.Label}
		for j, pixel := range d.Pixels {
			made[i].X[j] = scale * pixel
		}
	}
	return made
}

func sha256Of(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
