package gateway

import (
	"slices"
	"testing"
)

func TestEveryElementOfAnOutputIsPickedInItsTurn(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       []float64
	}{
		{"a list", "[1,2,3]", []float64{1, 2, 3}},
		{"nested lists", "[[0,1],[2,3]]", []float64{0, 1, 2, 3}},
		{"what is no number is left out", `["a",2,null]`, []float64{2}},
		{"a number beyond all bounds is left out", "[1e999,1]", []float64{1}},
		{"an empty list", "[]", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []float64
			for i := 0; ; i++ {
				ended := true
				value, ok := tensor{Data: []byte(c.data)}.pick(func(n int) int {
					ended = i >= n
					return min(i, n-1)
				})
				if ended {
					break
				}
				if ok {
					got = append(got, value)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("of %s are picked %v, want %v", c.data, got, c.want)
			}
		})
	}
}
