package tabular

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/spec"
)

// Bounds of what is read.
const (
	DefaultMaxRow = 1 << 20 // bytes of one row, unpacked
	MaxColumns    = 16384
)

// Options say how a file is read. The zero Options fit most.
type Options struct {
	Table spec.TableFormat // its File is the caller's business
	// Missing are the texts that stand for no value; nil: DefaultMissing.
	Missing []string
	MaxRow  int // bytes of one row; 0: DefaultMaxRow
}

// DefaultMissing are the texts that stand for no value: those that pandas, R and
// SQL tools write.
func DefaultMissing() []string {
	return []string{"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"}
}

// Value is one field of a row.
type Value struct {
	Text    string // as it is written; of jsonl a text without its quotes, all else as JSON
	Missing bool
}

// Row is one line of the table, a value for each of the columns.
type Row struct {
	Line   int // where it begins, from 1
	Values []Value
}

// Reader reads one table. It is not safe for concurrent use.
type Reader struct {
	name    string
	columns []string
	missing map[string]bool
	rows    rows
	row     Row
	err     error // that ended it
}

// rows reads one format.
type rows interface {
	// next fills the values of the row after the last, and its line. It may add
	// columns to r.
	next(r *Reader) error
}

// NewReader reads the head of a table. The name is that of the file: it tells the
// format where the options do not, and stands in errors.
func NewReader(in io.Reader, name string, o Options) (*Reader, error) {
	r := &Reader{name: name, missing: map[string]bool{}}
	missing := o.Missing
	if missing == nil {
		missing = DefaultMissing()
	}
	for _, text := range missing {
		r.missing[strings.TrimSpace(text)] = true
	}
	if o.MaxRow <= 0 {
		o.MaxRow = DefaultMaxRow
	}
	content, err := unpack(in, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	format, err := formatOf(name, o.Table.Format)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	switch format {
	case "jsonl":
		r.rows = newLines(content, o.MaxRow)
		err = r.addColumns(o.Table.Headers)
	default:
		r.rows, err = newFields(r, content, format, o)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// Columns are the names of the columns so far. Only in jsonl can there be more
// after a Read.
func (r *Reader) Columns() []string { return r.columns }

// Read returns the next row, or io.EOF. The row is good until the next Read. After
// an error every Read returns it again.
func (r *Reader) Read() (*Row, error) {
	if r.err != nil {
		return nil, r.err
	}
	err := r.rows.next(r)
	switch {
	case errors.Is(err, io.EOF):
		r.err = io.EOF
	case err != nil:
		r.err = fmt.Errorf("%s: %w", r.name, err)
	default:
		return &r.row, nil
	}
	return nil, r.err
}

// Column is the position of a column. The error lists those that there are.
func (r *Reader) Column(name string) (int, error) {
	if i := slices.Index(r.columns, name); i >= 0 {
		return i, nil
	}
	return -1, fmt.Errorf("%s: there is no column %q; there are %s", r.name, name, Names(r.columns))
}

// maxNames is how many names an error lists.
const maxNames = 20

// Names lists names for an error, at most some of them.
func Names(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	shown := make([]string, 0, maxNames)
	for _, name := range names[:min(len(names), maxNames)] {
		shown = append(shown, Clip(name))
	}
	list := strings.Join(shown, ", ")
	if more := len(names) - maxNames; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// maxShown is how many characters of a value are shown to people.
const maxShown = 60

// Clip is a value as it can be shown to a person: quoted if it holds what does not
// print, and cut if it is long.
func Clip(text string) string {
	short, cut := text, ""
	if utf8.RuneCountInString(text) > maxShown {
		short, cut = string([]rune(text)[:maxShown]), "..."
	}
	if quoted := fmt.Sprintf("%q", short); quoted != `"`+short+`"` || short == "" || strings.TrimSpace(short) != short {
		return quoted + cut
	}
	return short + cut
}

// value is a field of the row.
func (r *Reader) value(text string) Value {
	return Value{Text: text, Missing: r.missing[strings.TrimSpace(text)]}
}

// addColumns checks names and adds them.
func (r *Reader) addColumns(names []string) error {
	if len(r.columns)+len(names) > MaxColumns {
		return fmt.Errorf("there are more than %d columns; is the format right?", MaxColumns)
	}
	seen := map[string]int{}
	for i, name := range r.columns {
		seen[name] = i
	}
	for _, name := range names {
		if first, twice := seen[name]; twice {
			return fmt.Errorf("the columns %d and %d are both named %s; give each a name of its own", first+1, len(r.columns)+1, Clip(name))
		}
		seen[name] = len(r.columns)
		r.columns = append(r.columns, name)
	}
	return nil
}
