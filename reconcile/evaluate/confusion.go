package evaluate

import (
	"math"

	"github.com/fairlead/fairlead/reconcile/tabular"
)

// matrix is the confusion matrix, and its sums.
type matrix struct {
	counts    [][]int64 // true class, predicted class
	truth     []float64 // rows of each class
	predicted []float64
	right     []float64
	n         float64
}

func newMatrix(c *classes) *matrix {
	k := len(c.names)
	m := &matrix{counts: make([][]int64, k), truth: make([]float64, k), predicted: make([]float64, k), right: make([]float64, k), n: float64(len(c.truth))}
	for i := range m.counts {
		m.counts[i] = make([]int64, k)
	}
	for i, truth := range c.truth {
		predicted := c.predicted[i]
		m.counts[truth][predicted]++
		m.truth[truth]++
		m.predicted[predicted]++
		if truth == predicted {
			m.right[truth]++
		}
	}
	return m
}

// ratio is a/b, and 0 where b is.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func (m *matrix) report(r *Report, c *classes) {
	r.Confusion = m.counts
	var right, recalls, there float64
	var never, unpredicted []string
	for i, name := range c.names {
		class := Class{
			Name: name, Support: int64(m.truth[i]), Predicted: int64(m.predicted[i]),
			Precision: ratio(m.right[i], m.predicted[i]), Recall: ratio(m.right[i], m.truth[i]), F1: ratio(2*m.right[i], m.truth[i]+m.predicted[i]),
		}
		r.Classes = append(r.Classes, class)
		right += m.right[i]
		if m.truth[i] > 0 {
			recalls += class.Recall
			there++
		} else {
			never = append(never, name)
		}
		if m.predicted[i] == 0 {
			unpredicted = append(unpredicted, name)
		}
	}
	if len(never) > 0 {
		r.note("Recall is 0 by convention where a class is never the truth: %s.", tabular.Names(never))
	}
	if len(unpredicted) > 0 {
		r.note("Precision is 0 by convention where a class is never predicted: %s.", tabular.Names(unpredicted))
	}
	r.add("accuracy", right/m.n)
	r.add("balanced_accuracy", recalls/there)
	if r.Task == Binary {
		positive := r.Classes[c.positive]
		r.add("precision", positive.Precision)
		r.add("recall", positive.Recall)
		r.add("f1", positive.F1)
	}
	m.averages(r, right)
	r.add("mcc", m.mcc(right))
	if kappa, is := m.kappa(right); is {
		r.add("cohen_kappa", kappa)
	} else {
		r.miss("cohen_kappa", "there is one class only")
	}
}

// averages adds the means over the classes that are there or predicted.
func (m *matrix) averages(r *Report, right float64) {
	var macro, weighted [3]float64
	var counted float64
	for i, class := range r.Classes {
		if class.Support == 0 && class.Predicted == 0 {
			continue
		}
		counted++
		for j, value := range []float64{class.Precision, class.Recall, class.F1} {
			macro[j] += value
			weighted[j] += value * m.truth[i]
		}
	}
	for j, name := range []string{"precision", "recall", "f1"} {
		r.add(name+"_macro", macro[j]/counted)
		r.add(name+"_micro", right/m.n) // with one class per row, all three are the accuracy
		r.add(name+"_weighted", weighted[j]/m.n)
	}
}

// mcc is R_K of Gorodkin 2004, which of two classes is Matthews' coefficient.
func (m *matrix) mcc(right float64) float64 {
	covariance, truth, predicted := right*m.n, m.n*m.n, m.n*m.n
	for i := range m.truth {
		covariance -= m.truth[i] * m.predicted[i]
		truth -= m.truth[i] * m.truth[i]
		predicted -= m.predicted[i] * m.predicted[i]
	}
	return ratio(covariance, math.Sqrt(truth)*math.Sqrt(predicted))
}

// kappa is that of Cohen 1960. There is none where chance alone gets all right.
func (m *matrix) kappa(right float64) (float64, bool) {
	chance := 0.0
	for i := range m.truth {
		chance += m.truth[i] * m.predicted[i]
	}
	if chance == m.n*m.n {
		return 0, false
	}
	return 1 - (m.n-right)*m.n/(m.n*m.n-chance), true
}
