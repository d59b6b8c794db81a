// Command steps holds the steps of the pipeline in config/digits.hcl, as one program
// for one image:
//
//	split    divides the dataset into rows to train on and rows to test with
//	train    trains one network, and measures it on rows of its own
//	predict  lets a network read the test rows, and writes what it read
//
// A step knows nothing of Fairlead. It reads files below /in, one directory per input,
// and writes files below /out, one directory per output; what it is to do stands in
// its arguments. Equal files and arguments make equal results, byte for byte: so a
// step need not run twice, and a version can be made again.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], "/in", "/out", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "steps:", err)
		os.Exit(1)
	}
}

// run is one step. What it prints is the log of the step.
func run(args []string, in, out string, log io.Writer) error {
	if len(args) == 0 {
		return errors.New("say which step: split, train or predict")
	}
	switch step, args := args[0], args[1:]; step {
	case "split":
		return split(args, in, out, log)
	case "train":
		return train(args, in, out, log)
	case "predict":
		return predict(args, in, out, log)
	default:
		return fmt.Errorf("there is no step %q; there are split, train and predict", step)
	}
}
