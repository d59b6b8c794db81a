package evaluate

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// regression adds the errors of predicted numbers.
func (p *Predictions) regression(r *Report) error {
	if p.o.Prediction == "" {
		return errors.New("say which column holds the predicted number")
	}
	for _, s := range []struct {
		column string
		*series
	}{{p.o.Label, &p.labels}, {p.o.Prediction, &p.predicted}} {
		if s.numbers == nil {
			return fmt.Errorf("column %s: %s is no finite number, and the task is regression", s.column, s.text)
		}
	}
	n := float64(p.rows)
	mean := 0.0
	for _, truth := range p.labels.numbers {
		mean += truth / n
	}
	var sum, squares, shares, spread float64
	offs := make([]float64, p.rows)
	for i, truth := range p.labels.numbers {
		off := math.Abs(truth - p.predicted.numbers[i])
		offs[i] = off
		sum += off
		squares += off * off
		shares += off / max(epsilon, math.Abs(truth))
		spread += (truth - mean) * (truth - mean)
	}
	slices.Sort(offs)
	r.add("mae", sum/n)
	r.add("mse", squares/n)
	r.add("rmse", math.Sqrt(squares/n))
	r.addR2(p.rows, squares, spread)
	r.add("mape", shares/n)
	r.add("median_ae", (offs[(p.rows-1)/2]+offs[p.rows/2])/2)
	r.add("max_error", offs[p.rows-1])
	return nil
}

func (r *Report) addR2(rows int, squares, spread float64) {
	switch {
	case rows < 2:
		r.miss("r2", "it takes two rows")
	case spread > 0:
		r.add("r2", 1-squares/spread)
	case squares == 0:
		r.add("r2", 1)
	default:
		r.add("r2", 0)
	}
}
