package gateway

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
)

// inference is an answer with one output.
func inference(datatype, data string) string {
	return `{"model_name":"m","outputs":[{"name":"y","datatype":"` + datatype + `","shape":[1],"data":` + data + `}]}`
}

func TestAnswersAreCompared(t *testing.T) {
	two := func(a, b string) string { return `{"outputs":[` + a + `,` + b + `]}` }
	x, y := `{"name":"x","datatype":"INT64","data":[1]}`, `{"name":"y","datatype":"FP32","data":[2]}`
	cases := []struct {
		name              string
		stable, candidate string
		agree             bool
		distance          float64 // of y; -1: none
	}{
		{"equal numbers", inference("FP32", "[0.5,1]"), inference("FP32", "[0.5,1]"), true, 0},
		{"another model version and id", inference("FP32", "[1]"), strings.Replace(inference("FP32", "[1]"), `"m"`, `"m","model_version":"2","id":"9"`, 1), true, 0},
		{"within the tolerance", inference("FP32", "[1.0000]"), inference("FP32", "[1.0009]"), true, 0.0009 / 1.0009},
		{"beyond it", inference("FP32", "[1.0]"), inference("FP32", "[1.01]"), false, 0.01 / 1.01},
		{"the tolerance is relative, whatever the unit", inference("FP32", "[1e-9]"), inference("FP32", "[1.01e-9]"), false, 0.01 / 1.01},
		{"other signs", inference("FP32", "[1]"), inference("FP32", "[-1]"), false, 2},
		{"nothing and something", inference("FP32", "[0,0]"), inference("FP32", "[0,5]"), false, 0.5},
		{"nested and flat", inference("FP32", "[[1,2],[3,4]]"), inference("FP32", "[1, 2, 3,\n4.0]"), true, 0},
		{"another class is not nearly right", inference("INT64", "[50001]"), inference("INT64", "[50002]"), false, 1.0 / 50002},
		{"an integer written as a float", inference("INT64", "[7]"), inference("INT64", "[7.0]"), true, 0},
		{"integers that a float cannot tell apart", inference("INT64", "[9007199254740993]"), inference("INT64", "[9007199254740992]"), false, 0},
		{"equal texts", inference("BYTES", `["a]\",b","c"]`), inference("BYTES", `["a]\",b","c"]`), true, -1},
		{"other texts", inference("BYTES", `["a"]`), inference("BYTES", `["b"]`), false, -1},
		{"truths", inference("BOOL", "[true,false]"), inference("BOOL", "[true,true]"), false, -1},
		{"too few elements", inference("FP32", "[1,2]"), inference("FP32", "[1]"), false, -1},
		{"too many elements", inference("FP32", "[1]"), inference("FP32", "[1,2]"), false, -1},
		{"no elements", inference("FP32", "[]"), inference("FP32", "[]"), true, -1},
		{"another datatype", inference("FP32", "[1]"), inference("FP64", "[1]"), false, 0},
		{"another order of outputs", two(x, y), two(y, x), true, 0},
		{"a missing output", two(x, y), `{"outputs":[` + y + `]}`, false, 0},
		{"another output", two(x, y), two(y, strings.Replace(x, `"x"`, `"z"`, 1)), false, 0},
		{"stable alone is an inference", inference("FP32", "[1]"), "oops", false, -1},
		{"neither is an inference, equal bytes", "pong", "pong", true, -1},
		{"neither is an inference, other bytes", "pong", "ping", false, -1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cmp := comparison{tolerance: 1e-3, outputs: []reconcile.ScoredOutput{{Name: "y", Datatype: "FP32"}}}
			agree, err := cmp.compare(true, heard{status: 200, body: []byte(c.stable)}, heard{status: 200, body: []byte(c.candidate)})
			if err != nil || agree != c.agree {
				t.Errorf("agree = %v, %v; want %v", agree, err, c.agree)
			}
			distance, there := cmp.distances["y"]
			if there != (c.distance >= 0) || there && math.Abs(distance-c.distance) > 1e-12 {
				t.Errorf("distance = %v, %v; want %v", distance, there, c.distance)
			}
		})
	}
}

func TestAnswersBesideInferencesAreCompared(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte("a"))
	_ = w.Close()
	cases := []struct {
		name              string
		oip               bool
		stable, candidate heard
		agree, fails      bool
	}{
		{"other status", false, heard{status: 200}, heard{status: 404}, false, false},
		{"http: status and bytes", false, heard{status: 404, body: []byte("a")}, heard{status: 404, body: []byte("b")}, false, false},
		{"a client's error is one, whatever the words", true, heard{status: 400, body: []byte("a")}, heard{status: 400, body: []byte("b")}, true, false},
		{"compressed and not", false, heard{status: 200, encoding: "gzip", body: packed.Bytes()}, heard{status: 200, body: []byte("a")}, true, false},
		{"encoding that nobody knows", false, heard{status: 200, encoding: "br", body: []byte("a")}, heard{status: 200, body: []byte("a")}, false, true},
		{"compressed, but it is not", false, heard{status: 200, body: []byte("a")}, heard{status: 200, encoding: "gzip", body: []byte("a")}, false, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var cmp comparison
			if agree, err := cmp.compare(c.oip, c.stable, c.candidate); agree != c.agree || (err != nil) != c.fails {
				t.Errorf("agree = %v, %v", agree, err)
			}
		})
	}
}

// FuzzCompare feeds answers as hostile as a model may give them.
func TestAnswerOfManyOutputsIsComparedByItsBytes(t *testing.T) {
	many := func(n int, prefix string) []byte {
		outputs := make([]string, n)
		for i := range outputs {
			outputs[i] = fmt.Sprintf(`{"name":"%s%d","datatype":"FP32","data":[1]}`, prefix, i)
		}
		return []byte(`{"outputs":[` + strings.Join(outputs, ",") + `]}`)
	}
	for _, c := range []struct {
		name              string
		stable, candidate []byte
		agree             bool
	}{
		{"the same bytes", many(20_000, "a"), many(20_000, "a"), true},
		{"other names", many(20_000, "a"), many(20_000, "b"), false},
		{"the candidate's alone", many(3, "a"), many(20_000, "a"), false},
		{"as many as are looked at", many(maxOutputs, "a"), append([]byte(" "), many(maxOutputs, "a")...), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var cmp comparison
			if agree, err := cmp.compare(true, heard{status: 200, body: c.stable}, heard{status: 200, body: c.candidate}); err != nil || agree != c.agree {
				t.Errorf("agree = %v, %v; want %v", agree, err, c.agree)
			}
		})
	}
}

func FuzzCompare(f *testing.F) {
	f.Add([]byte(inference("FP32", "[[1,2],[3,4]]")), []byte(inference("BYTES", `["a\\",{"b":[1]},null]`)))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		cmp := comparison{tolerance: 0.1, outputs: []reconcile.ScoredOutput{{Name: "y"}}}
		agree, err := cmp.compare(true, heard{status: 200, body: a}, heard{status: 200, body: b})
		if bytes.Equal(a, b) && (err != nil || !agree) {
			tensors, readErr := readOutputs(a)
			names := map[string]bool{}
			twice := readErr == nil && slices.ContainsFunc(tensors, func(t tensor) bool {
				seen := names[t.Name]
				names[t.Name] = true
				return seen
			})
			if !twice { // of two outputs of one name only the first is found
				t.Errorf("%q does not agree with itself: %v", a, err)
			}
		}
		for name, d := range cmp.distances {
			if !(d >= 0 && d <= 2) {
				t.Errorf("distance of %s is %v", name, d)
			}
		}
	})
}

func TestCaptureIsBounded(t *testing.T) {
	shared := newBudget(10_000)
	full := func() *capture { return &capture{budget: shared, limit: 4096} }
	t.Run("what fits is kept", func(t *testing.T) {
		c := full()
		for range 8 {
			c.write(bytes.Repeat([]byte("x"), 512))
		}
		c.end()
		if data, whole := c.whole(); !whole || len(data) != 4096 {
			t.Errorf("kept %d bytes, whole %v", len(data), whole)
		}
		c.letGo()
	})
	t.Run("a byte too many spoils it", func(t *testing.T) {
		c := full()
		c.write(make([]byte, 4096))
		c.write([]byte("x"))
		c.end()
		if _, whole := c.whole(); whole {
			t.Error("it counts as whole")
		}
	})
	t.Run("memory is shared", func(t *testing.T) {
		a, b, c := full(), full(), full()
		for _, one := range []*capture{a, b, c} {
			one.write(make([]byte, 4096))
			one.end()
		}
		if _, whole := c.whole(); whole {
			t.Error("the third one got more than there is")
		}
		a.letGo()
		a.write([]byte("late"))
		b.letGo()
	})
	if left := shared.left.Load(); left != 10_000 {
		t.Errorf("%d bytes of 10,000 came back", left)
	}
}
