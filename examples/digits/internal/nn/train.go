package nn

import (
	"math"
	"math/rand/v2"
)

// Options says how Train trains.
type Options struct {
	Epochs   int     // passes over the examples
	Batch    int     // examples per step
	Rate     float64 // learning rate of the first epoch; it falls to zero on half a cosine
	Momentum float64 // share of the last step that goes into the next
	Decay    float64 // how strongly large weights are punished (L2); biases are not
}

// Train fits the network to the examples by stochastic gradient descent with
// momentum. The network, the options, the examples and the state of random
// determine the result completely.
func Train(n *Network, examples []Example, o Options, random *rand.Rand) {
	velocity, gradient := n.zero(), n.zero()
	batch := make([]Example, 0, o.Batch)
	for epoch := range o.Epochs {
		rate := o.Rate * (1 + math.Cos(math.Pi*float64(epoch)/float64(o.Epochs))) / 2
		for i, at := range random.Perm(len(examples)) {
			batch = append(batch, examples[at])
			if len(batch) < o.Batch && i < len(examples)-1 {
				continue
			}
			n.gradient(batch, gradient)
			n.step(gradient, velocity, rate, o)
			batch = batch[:0]
		}
	}
}

// zero returns a network of the same shape with all numbers zero: gradients and
// velocities have the shape of what they change.
func (n *Network) zero() *Network {
	z := &Network{}
	for _, l := range n.Layers {
		z.Layers = append(z.Layers, newLayer(l.In, l.Out))
	}
	return z
}

func (n *Network) step(gradient, velocity *Network, rate float64, o Options) {
	move := func(values, slope, speed []float64, decay float64) {
		for i := range values {
			speed[i] = float64(o.Momentum*speed[i]) - float64(rate*(slope[i]+float64(decay*values[i])))
			values[i] += speed[i]
		}
	}
	for i := range n.Layers {
		move(n.Layers[i].Weights, gradient.Layers[i].Weights, velocity.Layers[i].Weights, o.Decay)
		move(n.Layers[i].Bias, gradient.Layers[i].Bias, velocity.Layers[i].Bias, 0)
	}
}

// Loss is the mean cross entropy of the batch.
func (n *Network) Loss(batch []Example) float64 {
	sum := 0.0
	for _, e := range batch {
		sum -= math.Log(n.Probabilities(e.X)[e.Class])
	}
	return sum / float64(len(batch))
}

// gradient writes the slope of loss over every weight and bias into g.
func (n *Network) gradient(batch []Example, g *Network) {
	for _, l := range g.Layers {
		clear(l.Weights)
		clear(l.Bias)
	}
	share := 1 / float64(len(batch))
	for _, e := range batch {
		activations := n.forward(e.X)
		// The slope of cross entropy over the scores before the softmax is the
		// difference between the probabilities and the truth.
		delta := activations[len(n.Layers)]
		delta[e.Class]--
		for i := len(n.Layers) - 1; i >= 0; i-- {
			delta = n.Layers[i].backward(activations[i], delta, share, g.Layers[i])
		}
	}
}

// backward adds one example's share of the slopes to g. From the slopes over the
// layer's sums it computes those over the sums of the layer before it.
func (l Layer) backward(x, delta []float64, share float64, g Layer) []float64 {
	before := make([]float64, l.In)
	for o, d := range delta {
		if d == 0 {
			continue
		}
		g.Bias[o] += float64(share * d)
		row, slopes := l.Weights[o*l.In:(o+1)*l.In], g.Weights[o*l.In:(o+1)*l.In]
		for i := range row {
			slopes[i] += float64(share * float64(d*x[i]))
			before[i] += float64(d * row[i])
		}
	}
	for i := range before {
		if x[i] <= 0 { // the rectifier was closed: nothing flows back through it
			before[i] = 0
		}
	}
	return before
}
