package tabular

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// lines reads jsonl: a JSON object per line.
type lines struct {
	in   *bufio.Reader
	max  int
	line int            // that was read last
	at   map[string]int // column by name
	seen []int          // line that last had the column
	row  []byte
}

func newLines(content *bufio.Reader, maxRow int) *lines {
	return &lines{in: content, max: maxRow, at: map[string]int{}}
}

func (l *lines) next(r *Reader) error {
	text, err := l.read()
	if err != nil {
		return err
	}
	if !utf8.Valid(text) {
		return fmt.Errorf("line %d: there is a byte that is not UTF-8; save the file as UTF-8", l.line)
	}
	r.row.Line = l.line
	r.row.Values = r.row.Values[:0]
	for len(l.seen) < len(r.columns) {
		l.at[r.columns[len(l.seen)]] = len(l.seen)
		l.seen = append(l.seen, 0)
	}
	for range r.columns {
		r.row.Values = append(r.row.Values, Value{Missing: true})
	}
	if err := l.object(r, text); err != nil {
		return fmt.Errorf("line %d: %w", l.line, err)
	}
	return nil
}

// read returns the next line that is not empty.
func (l *lines) read() ([]byte, error) {
	for {
		l.row = l.row[:0]
		l.line++
		var err error
		for more := true; more; {
			var part []byte
			part, err = l.in.ReadSlice('\n')
			l.row = append(l.row, part...)
			if len(l.row) > l.max {
				return nil, fmt.Errorf("line %d: the row is longer than %d bytes; is it one object per line?", l.line, l.max)
			}
			more = errors.Is(err, bufio.ErrBufferFull)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("line %d: %w", l.line, err)
		}
		if text := bytes.TrimSpace(l.row); len(text) > 0 {
			return text, nil
		}
		if err != nil {
			return nil, io.EOF
		}
	}
}

// object fills the row with the members of one object.
func (l *lines) object(r *Reader, text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return fmt.Errorf("it is no JSON object, but %s", Clip(string(text)))
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return explainJSON(err)
		}
		name, _ := token.(string) // the decoder takes nothing else as a key
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return explainJSON(err)
		}
		if err := l.set(r, name, raw); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return explainJSON(err)
	}
	if decoder.InputOffset() != int64(len(text)) {
		return errors.New("there is more behind the object; write one object per line")
	}
	return nil
}

func explainJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON object is not closed")
	}
	return fmt.Errorf("it is no JSON: %w; write null where there is no value", err)
}

// set takes one member. A name that is new is a new column.
func (l *lines) set(r *Reader, name string, raw json.RawMessage) error {
	i, known := l.at[name]
	if !known {
		if len(r.columns) == MaxColumns {
			return fmt.Errorf("there are more than %d columns; are the keys of the objects data?", MaxColumns)
		}
		i = len(r.columns)
		l.at[name] = i
		l.seen = append(l.seen, 0)
		r.columns = append(r.columns, name)
		r.row.Values = append(r.row.Values, Value{})
	}
	if l.seen[i] == l.line {
		return fmt.Errorf("the key %s is there twice", Clip(name))
	}
	l.seen[i] = l.line
	switch raw[0] {
	case 'n': // null
		r.row.Values[i] = Value{Missing: true}
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return explainJSON(err)
		}
		r.row.Values[i] = r.value(text)
	default:
		r.row.Values[i] = Value{Text: string(raw)}
	}
	return nil
}
