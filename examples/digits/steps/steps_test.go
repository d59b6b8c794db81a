package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/examples/digits/data"
	"github.com/fairlead/fairlead/examples/digits/internal/nn"
)

const configData = "../config/data/digits.csv.gz"

// The whole pipeline, as config/training.hcl ties the steps together, with one
// network.
func TestTheStepsFitTogether(t *testing.T) {
	splitted := do(t, nil, "split", "--test-share", "0.3")
	trained := do(t, dirs{"data": filepath.Join(splitted, "train")}, "train", "--hidden", "32", "--seed", "1")
	predicted := do(t, dirs{"model": filepath.Join(trained, "model"), "data": filepath.Join(splitted, "test")}, "predict")

	var metrics map[string]float64
	decode(t, filepath.Join(trained, "metrics.json"), &metrics)
	if metrics["accuracy"] < 0.95 || metrics["loss"] <= 0 {
		t.Errorf("metrics are %v, the bar for the accuracy is 0.95", metrics)
	}
	weights, err := nn.ReadWeights(filepath.Join(trained, "model", "weights.json"))
	if err != nil {
		t.Fatal(err)
	}
	if weights.Version != "" {
		t.Errorf("the weights say they are version %s; that is for the registry to say", weights.Version)
	}

	rows := read(t, filepath.Join(predicted, "predictions", "test.csv"))
	right, strokes := 0, map[string]int{}
	for _, row := range rows[1:] {
		strokes[row[2]]++
		if row[0] == row[1] {
			right++
		}
	}
	if accuracy := float64(right) / float64(len(rows)-1); len(rows)-1 != 544 || accuracy < 0.95 {
		t.Errorf("%d predictions with accuracy %.4f, want 544 with at least 0.95", len(rows)-1, accuracy)
	}
	if strokes["thin"] < 200 || strokes["bold"] < 200 {
		t.Errorf("strokes are %v, want halves", strokes)
	}
}

// Those who ask the served model take the rows that Split keeps for the test: no
// network of the pipeline may have seen them.
func TestTheSplitIsThatOfTheProgramAsk(t *testing.T) {
	digits, err := data.Load()
	if err != nil {
		t.Fatal(err)
	}
	_, want := data.Split(digits)
	out := do(t, nil, "split")
	got, err := readRows(filepath.Join(out, "test", "test.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows to test with, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].Pixels != want[i].Pixels || got[i].Label != want[i].Label {
			t.Fatalf("row %d is another", i)
		}
	}
}

func TestStepsRepeatToTheBit(t *testing.T) {
	splitted := do(t, nil, "split")
	train := dirs{"data": filepath.Join(splitted, "train")}
	var weights [3][]byte
	for i, seed := range []string{"1", "1", "2"} {
		out := do(t, train, "train", "--hidden", "8", "--epochs", "2", "--seed", seed)
		var err error
		if weights[i], err = os.ReadFile(filepath.Join(out, "model", "weights.json")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(weights[0], weights[1]) {
		t.Error("two runs with one seed wrote different files")
	}
	if bytes.Equal(weights[0], weights[2]) {
		t.Error("two seeds wrote the same file")
	}
}

func TestTheDataOfTheConfigRepoIsThatOfTheExample(t *testing.T) {
	copied, err := os.ReadFile(configData)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(copied); hex.EncodeToString(sum[:]) != data.SHA256() {
		t.Errorf("%s is another file than data/digits.csv.gz", configData)
	}
	spec, err := os.ReadFile("../config/training.hcl")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(spec), "sha256:"+data.SHA256()) {
		t.Errorf("training.hcl does not have the digest of the data, %s", data.SHA256())
	}
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "train.csv")
	if err := writeRows(empty, nil); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "train.csv")
	if err := os.WriteFile(other, []byte("a,b\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		args []string
		in   dirs
		want string
	}{
		"no step":          {nil, nil, "split, train or predict"},
		"another step":     {[]string{"serve"}, nil, `no step "serve"`},
		"no data":          {[]string{"split"}, dirs{}, "digits.csv.gz"},
		"all for the test": {[]string{"split", "--test-share", "1"}, nil, "between 0 and 1"},
		"no units":         {[]string{"train", "--hidden", "0"}, nil, "from 1 to 4096"},
		"no rows":          {[]string{"train"}, dirs{"data": filepath.Dir(empty)}, "has no rows"},
		"other columns":    {[]string{"train"}, dirs{"data": filepath.Dir(other)}, "must name the columns"},
		"no weights":       {[]string{"predict"}, dirs{}, "weights.json"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := run(c.args, inputs(t, c.in), t.TempDir(), t.Output())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// dirs are inputs of a step: what is below /in, by name.
type dirs map[string]string

// inputs lays out what a step reads; nil stands for the dataset.
func inputs(t *testing.T, from dirs) (in string) {
	t.Helper()
	in = t.TempDir()
	if from == nil {
		from = dirs{"data": filepath.Dir(configData)}
	}
	for name, dir := range from {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(absolute, filepath.Join(in, name)); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

func do(t *testing.T, from dirs, args ...string) (out string) {
	t.Helper()
	out = t.TempDir()
	if err := run(args, inputs(t, from), out, t.Output()); err != nil {
		t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return out
}

func read(t *testing.T, path string) [][]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
