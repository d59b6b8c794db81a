package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/fairlead/fairlead/examples/digits/data"
	"github.com/fairlead/fairlead/examples/digits/internal/nn"
)

// boldInk is the sum of the pixels from which a digit is written in a bold hand:
// half of all are.
const boldInk = 313

// stroke stands for what a group of people has in common. Nothing is known about the
// people who wrote these digits; that a model reads those of some hands worse is
// found in the same way.
func stroke(d data.Digit) string {
	ink := 0.0
	for _, pixel := range d.Pixels {
		ink += pixel
	}
	if ink < boldInk {
		return "thin"
	}
	return "bold"
}

// predict reads model/weights.json and data/test.csv, and writes
// predictions/test.csv: what each row is, what was read, how sure the network is of
// each digit, and the stroke.
func predict(args []string, in, out string, log io.Writer) error {
	flags := flag.NewFlagSet("predict", flag.ContinueOnError)
	if err := flags.Parse(args); err != nil {
		return err
	}
	weights, err := nn.ReadWeights(filepath.Join(in, "model", "weights.json"))
	if err != nil {
		return err
	}
	digits, err := readRows(filepath.Join(in, "data", "test.csv"))
	if err != nil {
		return err
	}
	right := 0
	err = writeFile(filepath.Join(out, "predictions", "test.csv"), func(w io.Writer) error {
		rows := csv.NewWriter(w)
		names := []string{"label", "prediction", "stroke"}
		for class := range data.Classes {
			names = append(names, fmt.Sprintf("p_%d", class))
		}
		_ = rows.Write(names) // Error below tells
		for _, d := range digits {
			p := weights.Probabilities(d.Pixels[:])
			if nn.Best(p) == d.Label {
				right++
			}
			_ = rows.Write(prediction(d, p))
		}
		rows.Flush()
		return rows.Error()
	})
	fmt.Fprintf(log, "%d of %d digits read rightly\n", right, len(digits))
	return err
}

func prediction(d data.Digit, probabilities []float64) []string {
	fields := []string{strconv.Itoa(d.Label), strconv.Itoa(nn.Best(probabilities)), stroke(d)}
	for _, p := range probabilities {
		fields = append(fields, strconv.FormatFloat(p, 'g', -1, 64))
	}
	return fields
}
