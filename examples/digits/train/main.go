// Command train trains the digits models and writes their weights.
//
// Without flags it trains the two good versions: 1.0.0, a linear model, and
// 1.1.0, a multi-layer perceptron with 64 hidden units, in about a second. It
// prints the accuracy on the held-out rows, which it never trains on.
//
//	go run ./train
//	go run ./train --kind mlp --version 1.2.0 --served-scale 0.0039
//
// The second line makes a bad version, to watch a rollout catch it: good weights
// whose server divides the pixels by 255, as if they were bytes, where the trainer
// divided them by 16.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/examples/digits/data"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("train", flag.ExitOnError)
	dir := flags.String("out", "weights", "directory for the weights files, digits-VERSION.json")
	kind := flags.String("kind", "", "train only this kind of model: linear or mlp")
	version := flags.String("version", "", "version of the model; needs --kind")
	seed := flags.Uint64("seed", 1, "seed of all randomness; equal seeds give equal weights")
	servedScale := flags.Float64("served-scale", trainScale,
		"what the server multiplies pixels with; another value than the default makes a bad version")
	_ = flags.Parse(args) // ExitOnError: it does not return one

	recipes := standard()
	if *kind != "" || *version != "" {
		recipe, err := custom(*kind, *version)
		if err != nil {
			return err
		}
		recipes = []recipeOf{recipe}
	}
	digits, err := data.Load()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return fmt.Errorf("make the directory for the weights: %w", err)
	}
	for _, recipe := range recipes {
		trained := recipe.train(digits, *seed)
		trained.Scale = *servedScale
		path := filepath.Join(*dir, "digits-"+trained.Version+".json")
		if err := trained.Save(path); err != nil {
			return err
		}
		report(out, path, trained, digits)
	}
	return nil
}
