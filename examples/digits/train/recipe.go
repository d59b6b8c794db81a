package main

import (
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/fairlead/fairlead/examples/digits/data"
	"github.com/fairlead/fairlead/examples/digits/internal/nn"
)

// trainScale brings pixels to the range from 0 to 1.
const trainScale = 1.0 / data.Black

// recipeOf says how one version of the model is made.
type recipeOf struct {
	version string
	kind    string
	hidden  []int // sizes of the hidden layers
	options nn.Options
}

func linear(version string) recipeOf {
	return recipeOf{version, "linear", nil, nn.Options{Epochs: 60, Batch: 16, Rate: 0.1, Momentum: 0.9, Decay: 1e-3}}
}

func mlp(version string) recipeOf {
	return recipeOf{version, "mlp", []int{64}, nn.Options{Epochs: 60, Batch: 16, Rate: 0.05, Momentum: 0.9, Decay: 1e-3}}
}

// standard returns the two versions that the example serves.
func standard() []recipeOf { return []recipeOf{linear("1.0.0"), mlp("1.1.0")} }

func custom(kind, version string) (recipeOf, error) {
	if kind == "" || version == "" {
		return recipeOf{}, fmt.Errorf("--kind and --version belong together; give both, or none for the standard versions")
	}
	switch kind {
	case "linear":
		return linear(version), nil
	case "mlp":
		return mlp(version), nil
	}
	return recipeOf{}, fmt.Errorf("--kind is %q; it can be linear or mlp", kind)
}

// train makes the model. The result depends on the recipe, the digits and the
// seed only.
func (r recipeOf) train(digits []data.Digit, seed uint64) *nn.Weights {
	trainRows, testRows := data.Split(digits)
	random := rand.New(rand.NewPCG(seed, 0))
	sizes := append(append([]int{data.Pixels}, r.hidden...), data.Classes)
	network := nn.New(random, sizes...)
	nn.Train(network, examples(trainRows, trainScale), r.options, random)
	return &nn.Weights{
		FormatVersion: nn.WeightsFormat,
		Name:          "digits",
		Version:       r.version,
		Kind:          r.kind,
		Scale:         trainScale,
		Accuracy:      network.Accuracy(examples(testRows, trainScale)),
		TrainRows:     len(trainRows),
		TestRows:      len(testRows),
		Seed:          seed,
		DataSHA256:    data.SHA256(),
		Network:       *network,
	}
}

func examples(digits []data.Digit, scale float64) []nn.Example {
	out := make([]nn.Example, len(digits))
	for i, d := range digits {
		out[i] = nn.Example{X: make([]float64, data.Pixels), Class: d.Label}
		for j, pixel := range d.Pixels {
			out[i].X[j] = scale * pixel
		}
	}
	return out
}

// report prints what a person wants to know, and warns of a version that will
// not serve as well as it was trained: the weights file itself keeps the
// trainer's figure, as it would when nobody had noticed.
func report(out io.Writer, path string, w *nn.Weights, digits []data.Digit) {
	fmt.Fprintf(out, "digits %s  %-6s  accuracy %.4f on %d held-out rows (trained on %d)  %s\n",
		w.Version, w.Kind, w.Accuracy, w.TestRows, w.TrainRows, path)
	if w.Scale == trainScale {
		return
	}
	_, testRows := data.Split(digits)
	fmt.Fprintf(out, "  a bad version: it serves with pixels x %g, trained with x %g; accuracy as served %.4f\n",
		w.Scale, trainScale, w.Network.Accuracy(examples(testRows, w.Scale)))
}
