package cli

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/fairlead/fairlead/reconcile/tabular"
)

// tableFlags say how a file with a table is read.
type tableFlags struct {
	format  string
	missing []string
}

func (f *tableFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.format, "format", "", "`FORMAT` of the file: csv, tsv or jsonl (default: by its name; gzip is found by itself)")
	flags.StringSliceVar(&f.missing, "missing", nil, "`TEXTS` that stand for a missing value (default: the empty one, NA, N/A, NaN, nan, null, NULL, None)")
}

// table reads a file by the flags. The digest is that of the whole file, as sha256sum
// prints it.
func (f *tableFlags) table(path string, use func(*tabular.Reader) error) (digest string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the table: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return "", fmt.Errorf("%s is a directory; name the file in it", path)
	}
	hash := sha256.New()
	content := io.TeeReader(file, hash)
	o := tabular.Options{Missing: f.missing}
	o.Table.Format = f.format
	r, err := tabular.NewReader(content, path, o)
	if err != nil {
		return "", err
	}
	if err := use(r); err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, content); err != nil { // what the table did not need
		return "", fmt.Errorf("read the table: %w", err)
	}
	return fmt.Sprintf("sha256:%x", hash.Sum(nil)), nil
}
