package nn

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestGradientIsTheSlopeOfTheLoss(t *testing.T) {
	for name, sizes := range map[string][]int{"linear": {5, 3}, "one hidden layer": {5, 7, 3}, "two hidden layers": {5, 6, 4, 3}} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			n := New(random, sizes...)
			batch := blobs(random, 8)
			g := n.zero()
			n.gradient(batch, g)
			for i := range n.Layers {
				compareSlopes(t, n, batch, n.Layers[i].Weights, g.Layers[i].Weights)
				compareSlopes(t, n, batch, n.Layers[i].Bias, g.Layers[i].Bias)
			}
		})
	}
}

// compareSlopes measures each slope by moving one value a little to both sides.
func compareSlopes(t *testing.T, n *Network, batch []Example, values, slopes []float64) {
	t.Helper()
	const little = 1e-6
	for i, at := range values {
		values[i] = at + little
		above := n.Loss(batch)
		values[i] = at - little
		below := n.Loss(batch)
		values[i] = at
		measured := (above - below) / (2 * little)
		if math.Abs(measured-slopes[i]) > 1e-7 {
			t.Errorf("value %d: the gradient says %v, measured is %v", i, slopes[i], measured)
		}
	}
}

func TestTrainSeparatesBlobs(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	examples := blobs(random, 300)
	n := New(random, 5, 8, 3)
	before := n.Loss(examples)
	Train(n, examples, Options{Epochs: 20, Batch: 16, Rate: 0.05, Momentum: 0.9}, random)
	if after := n.Loss(examples); after > before/5 {
		t.Errorf("loss went from %.3f to %.3f only", before, after)
	}
	if a := n.Accuracy(examples); a < 0.98 {
		t.Errorf("accuracy is %.3f, want at least 0.98", a)
	}
}

func TestEqualSeedsMakeEqualNetworks(t *testing.T) {
	train := func(seed uint64) *Network {
		random := rand.New(rand.NewPCG(seed, 0))
		examples := blobs(random, 50)
		n := New(random, 5, 8, 3)
		Train(n, examples, Options{Epochs: 3, Batch: 7, Rate: 0.1, Momentum: 0.9, Decay: 1e-4}, random)
		return n
	}
	if !reflect.DeepEqual(train(1), train(1)) {
		t.Error("two runs with one seed differ")
	}
	if reflect.DeepEqual(train(1), train(2)) {
		t.Error("two seeds gave the same network")
	}
}

func TestProbabilitiesOfHugeScoresStayFinite(t *testing.T) {
	n := &Network{Layers: []Layer{{In: 1, Out: 2, Weights: []float64{1e6, -1e6}, Bias: []float64{0, 0}}}}
	if got := n.Probabilities([]float64{1}); got[0] != 1 || got[1] != 0 {
		t.Errorf("got %v, want [1 0]", got)
	}
}

func TestWeightsFile(t *testing.T) {
	good := &Weights{
		FormatVersion: WeightsFormat, Name: "digits", Version: "1.0.0", Kind: "linear", Scale: 0.0625,
		Accuracy: 0.5, TrainRows: 2, TestRows: 1, Seed: 7, DataSHA256: "ab",
		Network: *New(rand.New(rand.NewPCG(1, 1)), 2, 3),
	}
	path := filepath.Join(t.TempDir(), "weights.json")

	t.Run("what was saved is read back to the bit", func(t *testing.T) {
		if err := good.Save(path); err != nil {
			t.Fatal(err)
		}
		back, err := ReadWeights(path)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, good) {
			t.Errorf("got %+v, want %+v", back, good)
		}
	})
	t.Run("raw pixels are scaled before the first layer", func(t *testing.T) {
		got, want := good.Probabilities([]float64{16, 8}), good.Network.Probabilities([]float64{1, 0.5})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("a missing file says what writes it", func(t *testing.T) {
		_, err := ReadWeights(path + ".missing")
		wantError(t, err, "go run ./train")
	})

	bad := map[string]struct{ from, to, want string }{
		"another format":       {`"format_version":1`, `"format_version":2`, "format_version 2"},
		"no name":              {`"name":"digits"`, `"name":""`, "name is missing"},
		"no scale":             {`"scale":0.0625`, `"scale":0`, "scale is 0"},
		"layers of wrong size": {`"in":2`, `"in":3`, "6 weights, 3 x 3 are needed"},
		"not JSON":             {`{`, `<`, "is not a weights file"},
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range bad {
		t.Run(name+" is refused", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "weights.json")
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := ReadWeights(path)
			wantError(t, err, c.want)
		})
	}
}

func TestLayersThatDoNotFitAreRefused(t *testing.T) {
	cases := map[string]struct {
		n    Network
		want string
	}{
		"none":       {Network{}, "no layers"},
		"a gap":      {Network{Layers: []Layer{newLayer(2, 3), newLayer(4, 1)}}, "layer 1 has 4 inputs, the layer before it 3 outputs"},
		"no outputs": {Network{Layers: []Layer{newLayer(2, 0)}}, "at least 1"},
		"no biases":  {Network{Layers: []Layer{{In: 1, Out: 2, Weights: make([]float64, 2)}}}, "0 biases, 2 are needed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { wantError(t, c.n.Validate(), c.want) })
	}
}

// blobs returns points around three centres in five dimensions.
func blobs(random *rand.Rand, count int) []Example {
	var examples []Example
	for i := range count {
		e := Example{X: make([]float64, 5), Class: i % 3}
		for j := range e.X {
			e.X[j] = 0.4 * random.NormFloat64()
		}
		e.X[e.Class] += 2
		examples = append(examples, e)
	}
	return examples
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want an error with %q", err, part)
	}
}
