package main

import (
	"context"
	"fmt"

	"github.com/fairlead/fairlead/examples/digits/data"
	"github.com/fairlead/fairlead/examples/digits/internal/nn"
	"github.com/fairlead/fairlead/examples/digits/internal/oip"
)

// model is the digits model behind the protocol.
type model struct {
	weights *nn.Weights
	metrics *metrics
}

var _ oip.Model = (*model)(nil)

func newModel(weights *nn.Weights) (*model, error) {
	if in, out := weights.Inputs(), weights.Classes(); in != data.Pixels || out != data.Classes {
		return nil, fmt.Errorf("the weights take %d inputs to %d classes; digits need %d and %d", in, out, data.Pixels, data.Classes)
	}
	return &model{weights: weights, metrics: newMetrics(weights)}, nil
}

// Metadata says: one row of 64 pixels per picture goes in; out come the digit
// and the probability of each digit.
func (m *model) Metadata() oip.ModelMetadata {
	return oip.ModelMetadata{
		Name:     m.weights.Name,
		Versions: []string{m.weights.Version},
		Platform: "fairlead_" + m.weights.Kind,
		Inputs:   []oip.TensorMetadata{{Name: "pixels", Datatype: oip.FP32, Shape: []int64{-1, data.Pixels}}},
		Outputs: []oip.TensorMetadata{
			{Name: "digit", Datatype: oip.INT64, Shape: []int64{-1}},
			{Name: "probabilities", Datatype: oip.FP32, Shape: []int64{-1, data.Classes}},
		},
	}
}

// Infer reads every picture of the batch.
func (m *model) Infer(ctx context.Context, inputs map[string]oip.Input) ([]oip.Output, error) {
	pixels := inputs["pixels"]
	rows := pixels.Shape[0]
	digits := make([]int64, 0, rows)
	probabilities := make([]float32, 0, rows*data.Classes)
	for row := range rows {
		if err := ctx.Err(); err != nil { // the client left: a large batch is not worth finishing
			return nil, fmt.Errorf("stopped after %d of %d pictures: %w", row, rows, err)
		}
		p := m.weights.Probabilities(pixels.Data[row*data.Pixels : (row+1)*data.Pixels])
		for _, v := range p {
			probabilities = append(probabilities, float32(v))
		}
		digits = append(digits, int64(nn.Best(p)))
	}
	m.metrics.predicted(digits)
	return []oip.Output{
		{Name: "digit", Shape: []int64{rows}, Datatype: oip.INT64, Data: digits},
		{Name: "probabilities", Shape: []int64{rows, data.Classes}, Datatype: oip.FP32, Data: probabilities},
	}, nil
}
