package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/examples/digits/data"
	"github.com/fairlead/fairlead/examples/digits/internal/nn"
)

func TestBothStandardVersionsReachTheirAccuracy(t *testing.T) {
	dir := t.TempDir()
	out := train(t, "--out", dir)
	for version, bar := range map[string]float64{"1.0.0": 0.96, "1.1.0": 0.975} {
		weights := read(t, filepath.Join(dir, "digits-"+version+".json"))
		if weights.Accuracy < bar {
			t.Errorf("digits %s: accuracy on the held-out rows is %.4f, the bar is %.3f", version, weights.Accuracy, bar)
		}
		if weights.Version != version || weights.DataSHA256 != data.SHA256() || weights.TrainRows+weights.TestRows != 1797 {
			t.Errorf("digits %s: wrong metadata: version %s, data %s, rows %d + %d",
				version, weights.Version, weights.DataSHA256, weights.TrainRows, weights.TestRows)
		}
		if served := asServed(t, weights); served != weights.Accuracy {
			t.Errorf("digits %s: accuracy as served is %.4f, the weights file says %.4f", version, served, weights.Accuracy)
		}
	}
	if lines := strings.Count(out, "accuracy 0.9"); lines != 2 {
		t.Errorf("the accuracy of both versions must be printed, got:\n%s", out)
	}
}

func TestTrainingRepeatsToTheBit(t *testing.T) {
	var files [3][]byte
	for i, seed := range []string{"1", "1", "2"} {
		dir := t.TempDir()
		train(t, "--out", dir, "--seed", seed, "--kind", "linear", "--version", "3.0.0")
		var err error
		if files[i], err = os.ReadFile(filepath.Join(dir, "digits-3.0.0.json")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("two runs with one seed wrote different files")
	}
	if bytes.Equal(files[0], files[2]) {
		t.Error("two seeds wrote the same file")
	}
}

func TestWrongScaleMakesABadVersionWithGoodFigures(t *testing.T) {
	dir := t.TempDir()
	out := train(t, "--out", dir, "--kind", "linear", "--version", "1.2.0", "--served-scale", "0.0039")
	weights := read(t, filepath.Join(dir, "digits-1.2.0.json"))
	if weights.Accuracy < 0.96 {
		t.Errorf("the trainer must still believe in it, accuracy is %.4f", weights.Accuracy)
	}
	if served := asServed(t, weights); served > 0.3 {
		t.Errorf("accuracy as served is %.4f, a bad version must stay below 0.3", served)
	}
	if !strings.Contains(out, "a bad version") {
		t.Errorf("the output does not warn:\n%s", out)
	}
}

// The check "digits" in config/digits.hcl lets two distributions be this far apart.
// The demo works only if good versions stay well below, and the bad one well above.
func TestOnlyABadVersionReadsOtherDigits(t *testing.T) {
	const allowed = 0.15
	dir := t.TempDir()
	train(t, "--out", dir)
	train(t, "--out", dir, "--kind", "mlp", "--version", "1.2.0", "--served-scale", "0.0039")
	stable := read(t, filepath.Join(dir, "digits-1.0.0.json"))
	next := read(t, filepath.Join(dir, "digits-1.1.0.json"))
	bad := read(t, filepath.Join(dir, "digits-1.2.0.json"))
	if d := distance(t, stable, next); d > allowed/5 {
		t.Errorf("1.0.0 and 1.1.0 are %.3f apart, too close to the %.2f that are allowed", d, allowed)
	}
	if d := distance(t, next, bad); d < 3*allowed {
		t.Errorf("1.1.0 and 1.2.0 are %.3f apart, too close to the %.2f that are allowed", d, allowed)
	}
}

// distance is that of Kolmogorov and Smirnov, between the digits that two models
// read in the held-out rows.
func distance(t *testing.T, a, b *nn.Weights) float64 {
	t.Helper()
	digits, err := data.Load()
	if err != nil {
		t.Fatal(err)
	}
	_, testRows := data.Split(digits)
	var more [data.Classes]int // rows in which a reads a digit, less those in which b does
	for _, d := range testRows {
		more[nn.Best(a.Probabilities(d.Pixels[:]))]++
		more[nn.Best(b.Probabilities(d.Pixels[:]))]--
	}
	largest, sum := 0, 0
	for _, n := range more {
		sum += n
		largest = max(largest, sum, -sum)
	}
	return float64(largest) / float64(len(testRows))
}

func TestHalfARecipeIsRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"kind without version": {"--kind", "mlp"},
		"version without kind": {"--version", "1.2.0"},
		"unknown kind":         {"--kind", "forest", "--version", "1.2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(append(args, "--out", t.TempDir()), t.Output())
			if err == nil || !strings.Contains(err.Error(), "--kind") {
				t.Errorf("got %v, want an error about --kind", err)
			}
		})
	}
}

func train(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(args, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func read(t *testing.T, path string) *nn.Weights {
	t.Helper()
	weights, err := nn.ReadWeights(path)
	if err != nil {
		t.Fatal(err)
	}
	return weights
}

// asServed is the accuracy on raw pixels, scaled as the server scales them.
func asServed(t *testing.T, weights *nn.Weights) float64 {
	t.Helper()
	digits, err := data.Load()
	if err != nil {
		t.Fatal(err)
	}
	_, testRows := data.Split(digits)
	right := 0
	for _, d := range testRows {
		if nn.Best(weights.Probabilities(d.Pixels[:])) == d.Label {
			right++
		}
	}
	return float64(right) / float64(len(testRows))
}
