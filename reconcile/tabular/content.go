package tabular

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// unpack removes gzip, if the name or the first bytes say so, and a byte order
// mark. What is no text at all is an error that says what it is.
func unpack(in io.Reader, name string) (*bufio.Reader, error) {
	content := bufio.NewReader(in)
	head, err := peek(content)
	if err != nil {
		return nil, err
	}
	if packed := bytes.HasPrefix(head, []byte("\x1f\x8b")); packed || hasSuffix(name, ".gz") {
		if !packed {
			return nil, errors.New("its name ends with .gz, and it is not packed with gzip; name it after what it is")
		}
		plain, err := gzip.NewReader(content)
		if err != nil {
			return nil, unpacking(err)
		}
		content = bufio.NewReader(gzipErrors{plain})
		if head, err = peek(content); err != nil {
			return nil, err
		}
	}
	if err := refuse(head, name); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		_, err = content.Discard(3)
	}
	return content, err
}

// peek looks at the first bytes. A file that ends before is fine.
func peek(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return head, nil
}

// gzipErrors gives the errors of package gzip words.
type gzipErrors struct{ r io.Reader }

func (g gzipErrors) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // io.EOF itself is what a Reader returns
		err = unpacking(err)
	}
	return n, err
}

func unpacking(err error) error {
	return fmt.Errorf("unpack gzip: %w; is the file whole?", err)
}

// refuse recognises files that are no text.
func refuse(head []byte, name string) error {
	for _, other := range []struct{ magic, what, do string }{
		{"PAR1", "a Parquet file", "write csv or jsonl instead, for example with pandas: pd.read_parquet(f).to_csv(f + '.csv.gz', index=False)"},
		{"ARROW1", "an Arrow file", "write csv or jsonl instead"},
		{"PK\x03\x04", "a zip archive or a spreadsheet", "unpack it, or save it as csv"},
		{"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it, or pack it with gzip"},
		{"\xfd7zXZ\x00", "packed with xz", "unpack it, or pack it with gzip"},
		{"BZh", "packed with bzip2", "unpack it, or pack it with gzip"},
		{"\xff\xfe", "UTF-16 text", "save it as UTF-8"},
		{"\xfe\xff", "UTF-16 text", "save it as UTF-8"},
	} {
		if bytes.HasPrefix(head, []byte(other.magic)) {
			return fmt.Errorf("this is %s, which is not read; %s", other.what, other.do)
		}
	}
	if hasSuffix(name, ".parquet") {
		return errors.New("files of Parquet are not read; write csv or jsonl instead, for example with pandas: pd.read_parquet(f).to_csv(f + '.csv.gz', index=False)")
	}
	return nil
}

// formatOf is csv, tsv or jsonl.
func formatOf(name, declared string) (string, error) {
	switch declared {
	case "csv", "tsv", "jsonl":
		return declared, nil
	case "":
	default:
		return "", fmt.Errorf("the format %q is not known; use csv, tsv or jsonl", declared)
	}
	plain := strings.ToLower(path.Base(name))
	plain = strings.TrimSuffix(plain, ".gz")
	switch path.Ext(plain) {
	case ".csv":
		return "csv", nil
	case ".tsv", ".tab":
		return "tsv", nil
	case ".jsonl", ".ndjson":
		return "jsonl", nil
	}
	return "", errors.New("the name does not tell the format; say whether it is csv, tsv or jsonl")
}

func hasSuffix(name, suffix string) bool {
	return strings.HasSuffix(strings.ToLower(name), suffix)
}
