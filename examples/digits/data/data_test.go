package data

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestTheFileIsThePublishedOne(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), SHA256()) {
		t.Errorf("digits.csv.gz has sha256 %s, README.md states another", SHA256())
	}
	digits := load(t)
	if len(digits) != 1797 {
		t.Errorf("got %d digits, want 1797", len(digits))
	}
}

func TestSplit(t *testing.T) {
	digits := load(t)
	train, test := Split(digits)

	t.Run("each row is in exactly one part", func(t *testing.T) {
		var rows []int
		for _, d := range slices.Concat(train, test) {
			rows = append(rows, d.Row)
		}
		slices.Sort(rows)
		for i, row := range rows {
			if i != row {
				t.Fatalf("row %d is missing or twice", min(i, row))
			}
		}
		if len(rows) != len(digits) {
			t.Errorf("got %d rows, want %d", len(rows), len(digits))
		}
	})
	t.Run("each class gives the same share to the test", func(t *testing.T) {
		for class := range Classes {
			inClass := func(digits []Digit) (n float64) {
				for _, d := range digits {
					if d.Label == class {
						n++
					}
				}
				return n
			}
			if share := inClass(test) / inClass(digits); share < 0.29 || share > 0.31 {
				t.Errorf("class %d: test share is %.3f, want 0.30", class, share)
			}
		}
	})
	t.Run("it is the same every time", func(t *testing.T) {
		again, _ := Split(digits)
		if !slices.Equal(again, train) {
			t.Error("a second split differs")
		}
	})
}

func TestBadRowsAreRefused(t *testing.T) {
	good := strings.Repeat("0,", Pixels) + "7\n"
	cases := map[string]struct{ csv, want string }{
		"a short row":            {"1,2,3\n", "wrong number of fields"},
		"a pixel over black":     {strings.Replace(good, "0,", "17,", 1), "row 0, pixel 0: 17 is not between 0 and 16"},
		"a pixel that is a word": {strings.Replace(good, "0,", "x,", 1), "row 0, pixel 0"},
		"a label over nine":      {good + strings.Repeat("0,", Pixels) + "10\n", "row 1, label: 10 is not between 0 and 9"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := parse(strings.NewReader(c.csv))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func load(t *testing.T) []Digit {
	t.Helper()
	digits, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return digits
}
