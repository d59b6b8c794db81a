package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Layer is a fully connected layer: Out sums of In weighted inputs and a bias.
type Layer struct {
	In      int       `json:"in"`
	Out     int       `json:"out"`
	Weights []float64 `json:"weights"` // row-major, one row of In per output
	Bias    []float64 `json:"bias"`
}

// Network is a chain of layers. There is a rectifier after each but the last,
// and a softmax after the last.
type Network struct {
	Layers []Layer `json:"layers"`
}

// New returns an untrained network of the given sizes, from the number of inputs
// to the number of classes. Weights start at random in the scale that keeps the
// variance of the signal the same through rectifiers (He), biases at zero.
func New(random *rand.Rand, sizes ...int) *Network {
	n := &Network{}
	for i := range len(sizes) - 1 {
		l := newLayer(sizes[i], sizes[i+1])
		scale := math.Sqrt(2 / float64(l.In))
		for w := range l.Weights {
			l.Weights[w] = scale * random.NormFloat64()
		}
		n.Layers = append(n.Layers, l)
	}
	return n
}

func newLayer(in, out int) Layer {
	return Layer{In: in, Out: out, Weights: make([]float64, in*out), Bias: make([]float64, out)}
}

// Inputs is the number of inputs.
func (n *Network) Inputs() int { return n.Layers[0].In }

// Classes is the number of classes.
func (n *Network) Classes() int { return n.Layers[len(n.Layers)-1].Out }

// Validate tells whether the layers fit together. A
// network that comes from a file is checked before its first use.
func (n *Network) Validate() error {
	if len(n.Layers) == 0 {
		return fmt.Errorf("the network has no layers")
	}
	for i, l := range n.Layers {
		switch {
		case l.In < 1 || l.Out < 1:
			return fmt.Errorf("layer %d has %d inputs and %d outputs; both must be at least 1", i, l.In, l.Out)
		case i > 0 && l.In != n.Layers[i-1].Out:
			return fmt.Errorf("layer %d has %d inputs, the layer before it %d outputs", i, l.In, n.Layers[i-1].Out)
		case len(l.Weights) != l.In*l.Out:
			return fmt.Errorf("layer %d has %d weights, %d x %d are needed", i, len(l.Weights), l.Out, l.In)
		case len(l.Bias) != l.Out:
			return fmt.Errorf("layer %d has %d biases, %d are needed", i, len(l.Bias), l.Out)
		}
	}
	return nil
}

// Probabilities returns the probability of each class for one input. It is safe
// for concurrent use.
func (n *Network) Probabilities(x []float64) []float64 {
	activations := n.forward(x)
	return activations[len(activations)-1]
}

// forward returns the input and the activation of every layer: backpropagation
// needs them all.
func (n *Network) forward(x []float64) [][]float64 {
	activations := [][]float64{x}
	for i, l := range n.Layers {
		x = l.apply(x)
		if i < len(n.Layers)-1 {
			rectify(x)
		} else {
			softmax(x)
		}
		activations = append(activations, x)
	}
	return activations
}

func (l Layer) apply(x []float64) []float64 {
	out := make([]float64, l.Out)
	for o := range out {
		sum := l.Bias[o]
		for i, w := range l.Weights[o*l.In : (o+1)*l.In] {
			sum += float64(w * x[i])
		}
		out[o] = sum
	}
	return out
}

func rectify(x []float64) {
	for i := range x {
		x[i] = max(0, x[i])
	}
}

// softmax turns scores into probabilities. Subtracting the largest score first
// keeps the exponentials from overflowing and changes nothing else.
func softmax(x []float64) {
	largest := x[Best(x)]
	sum := 0.0
	for i := range x {
		x[i] = math.Exp(x[i] - largest)
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

// Best is the index of the largest value; of equal ones the first.
func Best(x []float64) int {
	best := 0
	for i := range x {
		if x[i] > x[best] {
			best = i
		}
	}
	return best
}

// Example is one input and the class it belongs to.
type Example struct {
	X     []float64
	Class int
}

// Accuracy is the share of examples whose most probable class is the right one.
func (n *Network) Accuracy(examples []Example) float64 {
	right := 0
	for _, e := range examples {
		if Best(n.Probabilities(e.X)) == e.Class {
			right++
		}
	}
	return float64(right) / float64(len(examples))
}
