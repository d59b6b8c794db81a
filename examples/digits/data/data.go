// Package data holds the handwritten digits, compiled into the program, and the
// one split into rows for training and rows for testing that every program of
// this example uses. README.md in this directory says where the digits come
// from and under which licence.
package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed" // digits.csv.gz
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
)

// The form of the data.
const (
	Side    = 8           // pixels of one side of the picture
	Pixels  = Side * Side // pixels of a picture
	Classes = 10          // the digits 0 to 9
	Black   = 16          // the darkest pixel; 0 is white
)

//go:embed digits.csv.gz
var compressed []byte

// Digit is one row: a picture and what it shows.
type Digit struct {
	Row    int             // from 0, in the file
	Pixels [Pixels]float64 // row by row from the top, 0 to Black
	Label  int             // 0 to 9
}

// SHA256 is the hash of the data file. Weights carry it, so that it can be told
// on which data a model was trained.
func SHA256() string {
	sum := sha256.Sum256(compressed)
	return hex.EncodeToString(sum[:])
}

// Load returns every digit, in the order of the file.
func Load() ([]Digit, error) {
	digits, err := Unzip(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("the embedded digits.csv.gz: %w", err)
	}
	return digits, nil
}

// Unzip reads digits in the form of digits.csv.gz.
func Unzip(r io.Reader) ([]Digit, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("unzip: %w", err)
	}
	return parse(unzipped)
}

// Header is the first line of digits that Write wrote: p0 to p63, and label.
func Header() []string {
	names := make([]string, 0, Pixels+1)
	for i := range Pixels {
		names = append(names, "p"+strconv.Itoa(i))
	}
	return append(names, "label")
}

// Write writes digits as CSV with a first line of names, for those who read columns
// by their names.
func Write(w io.Writer, digits []Digit) error {
	rows := csv.NewWriter(w)
	if err := rows.Write(Header()); err != nil {
		return err
	}
	fields := make([]string, Pixels+1)
	for _, d := range digits {
		for i, pixel := range d.Pixels {
			fields[i] = strconv.Itoa(int(pixel))
		}
		fields[Pixels] = strconv.Itoa(d.Label)
		if err := rows.Write(fields); err != nil {
			return err
		}
	}
	rows.Flush()
	return rows.Error()
}

// Read reads what Write wrote.
func Read(r io.Reader) ([]Digit, error) {
	lines := bufio.NewReader(r)
	names, err := lines.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if strings.TrimSpace(names) != strings.Join(Header(), ",") {
		return nil, errors.New("the first line must name the columns p0 to p63 and label")
	}
	return parse(lines)
}

func parse(r io.Reader) ([]Digit, error) {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = Pixels + 1
	rows.ReuseRecord = true
	var digits []Digit
	for {
		fields, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return digits, nil
		}
		if err != nil {
			return nil, err
		}
		d := Digit{Row: len(digits)}
		for i := range Pixels {
			if d.Pixels[i], err = parseWithin(fields[i], Black); err != nil {
				return nil, fmt.Errorf("row %d, pixel %d: %w", d.Row, i, err)
			}
		}
		label, err := parseWithin(fields[Pixels], Classes-1)
		if err != nil {
			return nil, fmt.Errorf("row %d, label: %w", d.Row, err)
		}
		d.Label = int(label)
		digits = append(digits, d)
	}
}

func parseWithin(s string, most int) (float64, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, err
	}
	if n < 0 || n > most {
		return 0, fmt.Errorf("%d is not between 0 and %d", n, most)
	}
	return float64(n), nil
}

// TestShare is the share of each class that Split keeps for testing.
const TestShare = 0.3

// splitSeed never changes: with another split, rows that a model has trained on
// would turn up in its test, and accuracies of two versions could not be
// compared.
const splitSeed = 20

// Split divides the digits into those to train on and those to test with.
func Split(digits []Digit) (train, test []Digit) { return SplitBy(digits, TestShare) }

// SplitBy is Split with another share. It is stratified: each class gives the same
// share to the test. The order within both parts is shuffled, so any prefix is a
// fair sample; and a larger share takes all that a smaller one takes.
func SplitBy(digits []Digit, testShare float64) (train, test []Digit) {
	random := rand.New(rand.NewPCG(splitSeed, splitSeed))
	shuffled := make([]Digit, len(digits))
	for to, from := range random.Perm(len(digits)) {
		shuffled[to] = digits[from]
	}
	var sizes, taken [Classes]int
	for _, d := range shuffled {
		sizes[d.Label]++
	}
	for _, d := range shuffled {
		if float64(taken[d.Label]) < testShare*float64(sizes[d.Label]) {
			taken[d.Label]++
			test = append(test, d)
		} else {
			train = append(train, d)
		}
	}
	return train, test
}
