package tabular

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// fields reads csv and tsv.
type fields struct {
	in     *limited
	csv    *csv.Reader
	format string
	max    int
	line   int // of the last good row; 0: there was none
}

// newFields reads the names of the columns, unless they are given.
func newFields(r *Reader, content *bufio.Reader, format string, o Options) (*fields, error) {
	in := &limited{r: content}
	f := &fields{in: in, csv: csv.NewReader(in), format: format, max: o.MaxRow}
	f.csv.ReuseRecord = true
	if format == "tsv" {
		f.csv.Comma = '\t'
	}
	if names := o.Table.Headers; len(names) > 0 {
		f.csv.FieldsPerRecord = len(names)
		return f, r.addColumns(names)
	}
	record, line, err := f.read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty; there is not even a line with the names of the columns")
	}
	if err != nil {
		return nil, err
	}
	names := make([]string, len(record))
	for i, name := range record {
		if name == "" { // the index that pandas writes has no name
			name = fmt.Sprintf("column_%d", i+1)
		}
		names[i] = name
	}
	if err := r.addColumns(names); err != nil {
		return nil, fmt.Errorf("line %d: %w", line, err)
	}
	return f, nil
}

func (f *fields) next(r *Reader) error {
	record, line, err := f.read()
	if err != nil {
		return err
	}
	r.row.Line = line
	r.row.Values = r.row.Values[:0]
	for _, text := range record {
		r.row.Values = append(r.row.Values, r.value(text))
	}
	return nil
}

func (f *fields) read() (record []string, line int, err error) {
	start := f.csv.InputOffset()
	f.in.allow(start + int64(f.max))
	record, err = f.csv.Read()
	if err != nil {
		return nil, 0, f.explain(record, err)
	}
	line, _ = f.csv.FieldPos(0)
	if f.csv.InputOffset()-start > int64(f.max) {
		return nil, 0, f.tooLong()
	}
	f.line = line
	for i, text := range record {
		if !utf8.ValidString(text) {
			at, _ := f.csv.FieldPos(i)
			return nil, 0, fmt.Errorf("line %d: field %d holds %s, which is not UTF-8; save the file as UTF-8", at, i+1, Clip(text))
		}
	}
	return record, line, nil
}

// explain gives the errors of package csv words.
func (f *fields) explain(record []string, err error) error {
	parse, is := errors.AsType[*csv.ParseError](err)
	switch {
	case errors.Is(err, errTooLong):
		return f.tooLong()
	case !is:
		return err // the end, or the file cannot be read
	case errors.Is(err, csv.ErrFieldCount):
		return fmt.Errorf("line %d: there are %d fields, and %d columns", parse.StartLine, len(record), f.csv.FieldsPerRecord)
	case errors.Is(err, csv.ErrBareQuote):
		return fmt.Errorf("line %d, byte %d: there is a quote inside a field that is not quoted; quote the field and double the quote", parse.Line, parse.Column)
	case errors.Is(err, csv.ErrQuote):
		if parse.StartLine != parse.Line {
			return fmt.Errorf("line %d: a quoted field that begins here is not closed well, on line %d; double each quote inside it", parse.StartLine, parse.Line)
		}
		return fmt.Errorf("line %d, byte %d: a quoted field is not closed, or goes on behind its quote; double each quote inside it", parse.Line, parse.Column)
	}
	return err
}

func (f *fields) tooLong() error {
	return fmt.Errorf("line %d: the row that begins behind it is longer than %d bytes; is a quote missing, or the format another than %s?", f.line, f.max, f.format)
}

// errTooLong ends the reading of a row without end.
var errTooLong = errors.New("too long")

// limited reads up to a place that moves on with the rows, so that a quote without
// its pair does not take the whole file into memory. Readers above it read ahead
// by a buffer, which is allowed for.
type limited struct {
	r       *bufio.Reader
	at, end int64
}

const readAhead = 8192

func (l *limited) allow(end int64) { l.end = end + readAhead }

func (l *limited) Read(p []byte) (int, error) {
	if l.at >= l.end {
		return 0, errTooLong
	}
	p = p[:min(int64(len(p)), l.end-l.at)]
	n, err := l.r.Read(p)
	l.at += int64(n)
	return n, err
}
