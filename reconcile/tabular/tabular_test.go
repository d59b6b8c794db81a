package tabular_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead/reconcile/tabular"
	"github.com/fairlead/fairlead/spec"
)

// table is what was read, missing values as <none>.
type table struct {
	columns []string
	rows    [][]string
	lines   []int
}

func read(in io.Reader, name string, o tabular.Options) (table, error) {
	r, err := tabular.NewReader(in, name, o)
	if err != nil {
		return table{}, err
	}
	var t table
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			t.columns = r.Columns()
			return t, nil
		}
		if err != nil {
			return t, err
		}
		cells := []string{}
		for _, v := range row.Values {
			if v.Missing {
				v.Text = "<none>"
			}
			cells = append(cells, v.Text)
		}
		t.rows = append(t.rows, cells)
		t.lines = append(t.lines, row.Line)
	}
}

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func TestFormats(t *testing.T) {
	const plain = "a,b\n1,x\n2,y\n"
	want := table{[]string{"a", "b"}, [][]string{{"1", "x"}, {"2", "y"}}, []int{2, 3}}
	for _, c := range []struct {
		does, name, text string
		o                tabular.Options
		want             table
	}{
		{"csv", "t.csv", plain, tabular.Options{}, want},
		{"without a last line end", "t.csv", strings.TrimSuffix(plain, "\n"), tabular.Options{}, want},
		{"byte order mark", "t.csv", "\xef\xbb\xbf" + plain, tabular.Options{}, want},
		{"CRLF", "T.CSV", strings.ReplaceAll(plain, "\n", "\r\n"), tabular.Options{}, want},
		{"gzip by name", "t.csv.gz", packed(plain), tabular.Options{}, want},
		{"gzip by its first bytes, with a mark inside", "t.csv", packed("\xef\xbb\xbf" + plain), tabular.Options{}, want},
		{"several gzip members", "t.csv.gz", packed("a,b\n1,x\n") + packed("2,y\n"), tabular.Options{}, want},
		{"tsv", "t.tsv", strings.ReplaceAll(plain, ",", "\t"), tabular.Options{}, want},
		{"declared format wins over the name", "t.csv", strings.ReplaceAll(plain, ",", "\t"), tabular.Options{Table: spec.TableFormat{Format: "tsv"}}, want},
		{
			"given names", "t.csv", "1,x\n2,y\n",
			tabular.Options{Table: spec.TableFormat{Headers: []string{"a", "b"}}},
			table{want.columns, want.rows, []int{1, 2}},
		},
		{
			"quoted fields", "t.csv", "a,\"b,c\"\n\"1\n2\",\"say \"\"x\"\"\"\n3,\"\"\n",
			tabular.Options{},
			table{[]string{"a", "b,c"}, [][]string{{"1\n2", `say "x"`}, {"3", "<none>"}}, []int{2, 4}},
		},
		{
			"missing values", "t.csv", "a\nNA\n N/A \nNaN\nnull\nnone\n?\n\"\"\n",
			tabular.Options{},
			table{[]string{"a"}, [][]string{{"<none>"}, {"<none>"}, {"<none>"}, {"<none>"}, {"none"}, {"?"}, {"<none>"}}, []int{2, 3, 4, 5, 6, 7, 8}},
		},
		{
			"own missing values", "t.csv", "a\nNA\n?\n",
			tabular.Options{Missing: []string{"?"}},
			table{[]string{"a"}, [][]string{{"NA"}, {"<none>"}}, []int{2, 3}},
		},
		{"an index without a name", "t.csv", ",a\n0,x\n", tabular.Options{}, table{[]string{"column_1", "a"}, [][]string{{"0", "x"}}, []int{2}}},
		{"no rows", "t.csv", "a,b\n", tabular.Options{}, table{columns: []string{"a", "b"}}},
		{"empty, with given names", "t.csv", "", tabular.Options{Table: spec.TableFormat{Headers: []string{"a"}}}, table{columns: []string{"a"}}},
		{
			"jsonl", "t.jsonl", "{\"a\": 1.50, \"b\": \"x\"}\n\n {\"b\": null, \"c\": [1, {}]}\r\n{\"a\": true, \"c\": \"NA\"}",
			tabular.Options{},
			table{[]string{"a", "b", "c"}, [][]string{{"1.50", "x"}, {"<none>", "<none>", "[1, {}]"}, {"true", "<none>", "<none>"}}, []int{1, 3, 4}},
		},
		{
			"jsonl with given names", "t.ndjson.gz", packed("{\"b\": 1}\n"),
			tabular.Options{Table: spec.TableFormat{Headers: []string{"a", "b"}}},
			table{[]string{"a", "b"}, [][]string{{"<none>", "1"}}, []int{1}},
		},
		{"empty jsonl", "t.jsonl", "", tabular.Options{}, table{}},
	} {
		t.Run(c.does, func(t *testing.T) {
			got, err := read(strings.NewReader(c.text), c.name, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.columns, c.want.columns) || !slices.Equal(got.lines, c.want.lines) || !slices.EqualFunc(got.rows, c.want.rows, slices.Equal) {
				t.Errorf("got\n%+v\nwant\n%+v", got, c.want)
			}
		})
	}
}

func TestBadInputIsAnErrorWithItsLine(t *testing.T) {
	small := tabular.Options{MaxRow: 100}
	for _, c := range []struct {
		does, name, text string
		o                tabular.Options
		want             string
	}{
		{"ragged", "t.csv", "a,b\n1,2\n\n3\n", small, "t.csv: line 4: there are 1 fields, and 2 columns"},
		{"ragged, given names", "t.csv", "1,2,3\n", tabular.Options{Table: spec.TableFormat{Headers: []string{"a"}}}, "line 1: there are 3 fields, and 1 columns"},
		{"bare quote", "t.csv", "a,b\n1,2\n3,4\"5\n", small, "line 3, byte 4: there is a quote inside a field that is not quoted"},
		{"text behind a quote", "t.csv", "a\n\"x\"y\n", small, "line 2, byte 3: a quoted field is not closed, or goes on"},
		{"open quote", "t.csv", "a\n1\n\"x\ny\n", small, "line 3: a quoted field that begins here is not closed well"},
		{"open quote without end", "t.csv", "a\n1\n\"" + strings.Repeat("x\n", 10000), small, "line 2: the row that begins behind it is longer than 100 bytes; is a quote missing"},
		{"long row", "t.csv", "a\n1\n" + strings.Repeat("x", 101) + "\n2\n", small, "line 2: the row that begins behind it is longer than 100 bytes"},
		{"very long row", "t.csv", "a\n1\n" + strings.Repeat("x", 100000) + "\n2\n", small, "line 2: the row that begins behind it is longer than 100 bytes"},
		{"not UTF-8", "t.csv", "a,b\n1,2\n3,caf\xe9\n", small, `line 3: field 2 holds "caf\xe9", which is not UTF-8`},
		{"two columns of a name", "t.csv", "a,b,a\n", small, "line 1: the columns 1 and 3 are both named a"},
		{"empty", "t.csv", "", small, "it is empty"},
		{"no format", "t.txt", "a\n", small, "t.txt: the name does not tell the format; say whether it is csv, tsv or jsonl"},
		{"unknown format", "t.csv", "a\n", tabular.Options{Table: spec.TableFormat{Format: "xml"}}, `the format "xml" is not known`},
		{"parquet", "t.csv", "PAR1....", small, "a Parquet file, which is not read; write csv or jsonl"},
		{"parquet by name", "t.parquet", "....", small, "Parquet are not read; write csv or jsonl"},
		{"spreadsheet", "t.csv", "PK\x03\x04....", small, "a spreadsheet"},
		{"UTF-16", "t.csv", "\xff\xfea\x00", small, "save it as UTF-8"},
		{"no gzip", "t.csv.gz", "a,b\n", small, "it is not packed with gzip"},
		{"cut gzip", "t.csv.gz", packed("a,b\n1,2\n")[:20], small, "unpack gzip: unexpected EOF; is the file whole?"},
		{"damaged gzip", "t.csv.gz", packed("a,b\n1,2\n")[:24] + "xxxxxxxx", small, "is the file whole?"},
		{"no object", "t.jsonl", "{\"a\": 1}\n[1]\n", small, "line 2: it is no JSON object, but [1]"},
		{"open object", "t.jsonl", "{\"a\": 1\n{\"a\": 2}\n", small, "line 1: the JSON object is not closed"},
		{"NaN of Python", "t.jsonl", "{\"a\": NaN}\n", small, "line 1: it is no JSON: invalid character 'N' looking for beginning of value; write null"},
		{"two objects", "t.jsonl", "{\"a\": 1} {\"a\": 2}\n", small, "line 1: there is more behind the object"},
		{"a key twice", "t.jsonl", "{\"a\": 1, \"a\": 2}\n", small, "line 1: the key a is there twice"},
		{"jsonl that is not UTF-8", "t.jsonl", "{\"a\": \"\xff\"}\n", small, "line 1: there is a byte that is not UTF-8"},
		{"long line of jsonl", "t.jsonl", "{\"a\": 1}\n{\"a\": \"" + strings.Repeat("x", 9999) + "\"}\n", small, "line 2: the row is longer than 100 bytes"},
	} {
		t.Run(c.does, func(t *testing.T) {
			got, err := read(strings.NewReader(c.text), c.name, c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v and %+v, want an error with %q", err, got, c.want)
			}
		})
	}
}

func TestAnErrorStays(t *testing.T) {
	r, err := tabular.NewReader(strings.NewReader("a\n1,2\n3\n"), "t.csv", tabular.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, first := r.Read()
	_, second := r.Read()
	if first == nil || !errors.Is(second, first) {
		t.Errorf("got %v, then %v", first, second)
	}
}

func TestColumnsThatAreNotThereAreSaidWithThoseThatAre(t *testing.T) {
	names := make([]string, 25)
	for i := range names {
		names[i] = strings.Repeat("x", i+1)
	}
	r, err := tabular.NewReader(strings.NewReader(""), "t.csv", tabular.Options{Table: spec.TableFormat{Headers: names}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Column("y")
	if err == nil || !strings.Contains(err.Error(), `there is no column "y"; there are x, xx, xxx`) || !strings.Contains(err.Error(), "and 5 more") {
		t.Errorf("got %v", err)
	}
	if i, err := r.Column("xx"); i != 1 || err != nil {
		t.Errorf("got %d, %v", i, err)
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		text   string
		number float64
		is     bool
		whole  bool
	}{
		{"5", 5, true, true},
		{" -5.0 ", -5, true, true},
		{"5e-1", 0.5, true, false},
		{"1e999", math.Inf(1), true, false},
		{"-inf", math.Inf(-1), true, false},
		{"123456789012345678901234567890", 123456789012345678901234567890, true, true},
		{"0x10", 0, false, false},
		{"1_000", 0, false, false},
		{"1,5", 0, false, false},
		{"+-5", 0, false, false},
		{"", 0, false, false},
	} {
		v := tabular.Value{Text: c.text}
		if number, is := v.Number(); is != c.is || is && number != c.number || v.Whole() != c.whole {
			t.Errorf("%q: got %v, %v, whole %v", c.text, number, is, v.Whole())
		}
	}
	if number, is := (tabular.Value{Text: "nan"}).Number(); !is || !math.IsNaN(number) {
		t.Errorf("nan: got %v, %v", number, is)
	}
	if yes, is := (tabular.Value{Text: "True"}).Bool(); !yes || !is {
		t.Error("True is not read as true")
	}
	if _, is := (tabular.Value{Text: "yes"}).Bool(); is {
		t.Error("yes is read as a bool")
	}
	if _, is := (tabular.Value{Text: "2026-03-03T14:00:00+01:00"}).Time(); !is {
		t.Error("a time of RFC 3339 is not read")
	}
	if _, is := (tabular.Value{Text: "2026-03-03"}).Time(); is {
		t.Error("a day is read as a time")
	}
}

func TestWhatIsShownIsShortAndPrints(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain", "": `""`, " x": `" x"`, "a\x1b[31m": `"a\x1b[31m"`, strings.Repeat("ä", 61): strings.Repeat("ä", 60) + "...",
	} {
		if got := tabular.Clip(text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 5).Draw(t, "columns")
		cell := rapid.StringMatching(`[a-zä,;"'\n\t 0-9.-]{0,12}`)
		rows := rapid.SliceOf(rapid.SliceOfN(cell, columns, columns)).Draw(t, "rows")
		names := []string{"a", "b", "c", "d", "e"}[:columns]
		var asCSV, asJSON bytes.Buffer
		w := csv.NewWriter(&asCSV)
		var want [][]string
		for _, row := range rows {
			if columns == 1 && row[0] == "" {
				continue // an empty line, which does not count
			}
			_ = w.Write(row)
			want = append(want, row)
			object := map[string]string{}
			for i, name := range names {
				object[name] = row[i]
			}
			line, _ := json.Marshal(object)
			asJSON.Write(append(line, '\n'))
		}
		w.Flush()
		o := tabular.Options{Missing: []string{"no value is missing"}, Table: spec.TableFormat{Headers: names}}
		for name, in := range map[string]string{"t.csv": asCSV.String(), "t.csv.gz": packed(asCSV.String()), "t.jsonl": asJSON.String()} {
			got, err := read(strings.NewReader(in), name, o)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(got.rows, want, slices.Equal) {
				t.Fatalf("%s: got %q, want %q", name, got.rows, want)
			}
		}
	})
}

func FuzzReader(f *testing.F) {
	for _, text := range []string{"a,b\n1,2\n", "a\tb\n\"1\n2\"\t3\n", "{\"a\": 1}\n{\"b\": [null]}\n", packed("a\n1\n"), "\xef\xbb\xbfa\r\n\"x\"\"y\"\r\n", "a\n\"x\n"} {
		for _, name := range []string{"t.csv", "t.tsv", "t.jsonl", "t.csv.gz"} {
			f.Add([]byte(text), name)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		r, err := tabular.NewReader(bytes.NewReader(data), name, tabular.Options{MaxRow: 1000})
		if err != nil {
			return
		}
		for last := 0; ; {
			row, err := r.Read()
			if err != nil {
				return
			}
			if len(row.Values) != len(r.Columns()) {
				t.Fatalf("%d values for %d columns", len(row.Values), len(r.Columns()))
			}
			if row.Line <= last {
				t.Fatalf("line %d behind line %d", row.Line, last)
			}
			last = row.Line
		}
	})
}
