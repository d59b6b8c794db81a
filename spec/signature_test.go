package spec_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/spec"
)

func TestSignatureDiffersWhereCallersWouldBeHurt(t *testing.T) {
	tensor := func(name, datatype string, shape ...int64) spec.Tensor {
		return spec.Tensor{Name: name, Datatype: datatype, Shape: shape}
	}
	declared := spec.Signature{
		Inputs:  []spec.Tensor{tensor("x", "FP32", -1, 64), tensor("k", "INT64", 1)},
		Outputs: []spec.Tensor{tensor("y", "INT64", -1)},
	}
	cases := map[string]struct {
		change func(*spec.Signature)
		want   []string
	}{
		"the same":                           {func(*spec.Signature) {}, nil},
		"in another order":                   {func(s *spec.Signature) { slices.Reverse(s.Inputs) }, nil},
		"another output beside":              {func(s *spec.Signature) { s.Outputs = append(s.Outputs, tensor("z", "FP32")) }, nil},
		"a wider input":                      {func(s *spec.Signature) { s.Inputs[1].Shape = []int64{-1} }, nil},
		"a narrower output":                  {func(s *spec.Signature) { s.Outputs[0].Shape = []int64{1} }, nil},
		"a narrower input":                   {func(s *spec.Signature) { s.Inputs[0].Shape = []int64{1, 64} }, []string{`input "x" is declared as FP32 [-1, 64], and the server takes FP32 [1, 64]`}},
		"an input of another size":           {func(s *spec.Signature) { s.Inputs[0].Shape = []int64{-1, 32} }, []string{`input "x" is declared as FP32 [-1, 64], and the server takes FP32 [-1, 32]`}},
		"an input of another rank":           {func(s *spec.Signature) { s.Inputs[1].Shape = []int64{1, 1} }, []string{`takes INT64 [1, 1]`}},
		"an input of another datatype":       {func(s *spec.Signature) { s.Inputs[0].Datatype = "FP64" }, []string{`takes FP64 [-1, 64]`}},
		"an input by another name is two":    {func(s *spec.Signature) { s.Inputs[0].Name = "X" }, []string{`input "x" is declared, and the server has only "X", "k"`, `needs the input "X" (FP32 [-1, 64]), which is not declared`}},
		"an output of another datatype":      {func(s *spec.Signature) { s.Outputs[0].Datatype = "FP32" }, []string{`output "y" is declared as INT64 [-1], and the server gives FP32 [-1]`}},
		"no output":                          {func(s *spec.Signature) { s.Outputs = nil }, []string{`output "y" is declared, and the server has no output`}},
		"a server that says nothing":         {func(s *spec.Signature) { *s = spec.Signature{} }, []string{`"x" is declared`, `"k" is declared`, `"y" is declared`}},
		"a wider output than is declared is": {func(s *spec.Signature) { s.Outputs[0].Shape = []int64{-1, -1} }, []string{`gives INT64 [-1, -1]`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			told := spec.Signature{}
			for _, in := range declared.Inputs {
				told.Inputs = append(told.Inputs, tensor(in.Name, in.Datatype, in.Shape...))
			}
			for _, out := range declared.Outputs {
				told.Outputs = append(told.Outputs, tensor(out.Name, out.Datatype, out.Shape...))
			}
			tc.change(&told)
			got := declared.Differences(told)
			if !slices.EqualFunc(got, tc.want, strings.Contains) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSignatureDoesNotDifferFromItself(t *testing.T) {
	tensors := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) spec.Tensor {
		return spec.Tensor{
			Name: rapid.String().Draw(t, "name"), Datatype: rapid.SampledFrom([]string{"FP32", "BYTES"}).Draw(t, "datatype"),
			Shape: rapid.SliceOfN(rapid.Int64Range(-1, 5), 0, 4).Draw(t, "shape"),
		}
	}), 0, 5, func(t spec.Tensor) string { return t.Name })
	rapid.Check(t, func(t *rapid.T) {
		s := spec.Signature{Inputs: tensors.Draw(t, "inputs"), Outputs: tensors.Draw(t, "outputs")}
		if d := s.Differences(s); d != nil {
			t.Errorf("%q", d)
		}
	})
}
