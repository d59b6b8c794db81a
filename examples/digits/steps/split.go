package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead/examples/digits/data"
)

// split reads data/digits.csv.gz and writes train/train.csv and test/test.csv.
func split(args []string, in, out string, log io.Writer) error {
	flags := flag.NewFlagSet("split", flag.ContinueOnError)
	share := flags.Float64("test-share", data.TestShare, "share of the rows that are kept for the test")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *share <= 0 || *share >= 1 {
		return fmt.Errorf("--test-share is %v; it must be between 0 and 1", *share)
	}
	file, err := os.Open(filepath.Join(in, "data", "digits.csv.gz"))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	digits, err := data.Unzip(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", file.Name(), err)
	}
	trainRows, testRows := data.SplitBy(digits, *share)
	fmt.Fprintf(log, "%d digits: %d to train on, %d to test with\n", len(digits), len(trainRows), len(testRows))
	if err := writeRows(filepath.Join(out, "train", "train.csv"), trainRows); err != nil {
		return err
	}
	return writeRows(filepath.Join(out, "test", "test.csv"), testRows)
}

// writeFile creates a file, and its directory where there is none.
func writeFile(path string, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		// A full disk may be told of only here.
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	return write(file)
}

func writeRows(path string, digits []data.Digit) error {
	return writeFile(path, func(w io.Writer) error { return data.Write(w, digits) })
}

func readRows(path string) ([]data.Digit, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	digits, err := data.Read(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(digits) == 0 {
		return nil, fmt.Errorf("%s has no rows", path)
	}
	return digits, nil
}
