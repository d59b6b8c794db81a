package tabular_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/fairlead/fairlead/reconcile/tabular"
)

// benchmarkFile is a table of numbers, as features are.
func benchmarkFile(rows, columns int) []byte {
	var b bytes.Buffer
	for c := range columns {
		fmt.Fprintf(&b, "feature_%d,", c)
	}
	b.WriteString("label\n")
	for r := range rows {
		for c := range columns {
			fmt.Fprintf(&b, "%.4f,", float64(r*c%997)/7)
		}
		fmt.Fprintf(&b, "%d\n", r%2)
	}
	return b.Bytes()
}

func BenchmarkRead(b *testing.B) {
	data := benchmarkFile(10_000, 20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r, err := tabular.NewReader(bytes.NewReader(data), "t.csv", tabular.Options{})
		for err == nil {
			_, err = r.Read()
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
}
