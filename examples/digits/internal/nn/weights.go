package nn

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// WeightsFormat is the format version that this package writes and reads.
const WeightsFormat = 1

// Weights is a trained network with what has to be known about it.
type Weights struct {
	FormatVersion int    `json:"format_version"`
	Name          string `json:"name"` // of the model
	// Version is that of the model, or empty where only its place in the registry
	// says so: equal training makes equal files then, whatever they are called.
	Version string `json:"version,omitempty"`
	Kind    string `json:"kind"` // linear or mlp
	// Scale is what a server multiplies each raw pixel with before the first
	// layer. A scale that is not the one of the training makes a bad model out
	// of good weights (training-serving skew).
	Scale float64 `json:"scale"`
	// Accuracy is what the trainer measured on the held-out rows.
	Accuracy   float64 `json:"accuracy"`
	TrainRows  int     `json:"train_rows"`
	TestRows   int     `json:"test_rows"`
	Seed       uint64  `json:"seed"`
	DataSHA256 string  `json:"data_sha256"`
	Network
}

// Probabilities returns the probability of each class for raw pixels.
func (w *Weights) Probabilities(raw []float64) []float64 {
	scaled := make([]float64, len(raw))
	for i, pixel := range raw {
		scaled[i] = w.Scale * pixel
	}
	return w.Network.Probabilities(scaled)
}

// Save writes the weights to a file. Equal weights make equal bytes.
func (w *Weights) Save(path string) error {
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encode weights of %s %s: %w", w.Name, w.Version, err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write weights: %w", err)
	}
	return nil
}

// ReadWeights reads what Save wrote and checks that it can be used.
func ReadWeights(path string) (*Weights, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read weights: %w (`go run ./train` writes them)", err)
	}
	var w Weights
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, fmt.Errorf("%s is not a weights file: %w", path, err)
	}
	if err := w.validate(); err != nil {
		return nil, fmt.Errorf("%s cannot be used: %w; train it again with `go run ./train`", path, err)
	}
	return &w, nil
}

func (w *Weights) validate() error {
	switch {
	case w.FormatVersion != WeightsFormat:
		return fmt.Errorf("it has format_version %d, this program reads %d", w.FormatVersion, WeightsFormat)
	case w.Name == "":
		return errors.New("the name is missing")
	case w.Scale <= 0:
		return fmt.Errorf("scale is %v, it must be above 0", w.Scale)
	}
	return w.Validate()
}
