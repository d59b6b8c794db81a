// Package nn is a small neural network in plain Go: fully connected layers,
// rectifiers between them, a softmax at the end. One layer is the linear model
// (softmax regression), two are a multi-layer perceptron.
//
// A [Network] computes class probabilities. [Train] fits it to examples.
// [Weights] is the file in which a trained network travels from the trainer to
// the server, together with what a person has to know about it.
//
// Results repeat bit by bit on one architecture: sums run in a fixed order on one
// goroutine, and all randomness comes from a seed. The explicit float64
// conversions around products keep the compiler from fusing them with the
// addition, which some architectures would round differently.
package nn
