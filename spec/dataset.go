package spec

import "time"

// Dataset is data that pipelines read, and what is expected of it.
type Dataset struct {
	Address     Address       `json:"address"`
	Name        string        `json:"name"` // Address.ServedName()
	Pos         Pos           `json:"pos,omitzero"`
	Description string        `json:"description,omitempty"`
	Owners      []string      `json:"owners,omitempty"`
	Source      DatasetSource `json:"source"`
	// Digest is that of the content: of the one file, sha256:HEX as sha256sum
	// prints it; of an artifact that of its manifest. "": whatever is there.
	Digest string        `json:"digest,omitempty"`
	Table  TableFormat   `json:"table,omitzero"` // how expectations read it
	Expect []Expectation `json:"expect,omitempty"`

	// What policies ask about.
	License   string            `json:"license,omitempty"` // SPDX identifier
	Collected time.Time         `json:"collected,omitzero"`
	Region    string            `json:"region,omitempty"`
	Personal  bool              `json:"personal,omitempty"` // holds personal data
	Labels    map[string]string `json:"labels,omitempty"`
}

// DatasetSource is where a dataset is.
type DatasetSource struct {
	Kind     SourceKind `json:"kind"`
	Location string     `json:"location"` // path in the repo, URL, oci://REF, or name of a volume
	// File is the name of the file as steps see it; of a source with one file.
	File string `json:"file,omitempty"`
	// Public: of a URL only public addresses are reached, as an included repo declares it
	// that was not granted the host.
	Public bool `json:"public,omitempty"`
	// Data is the content of a file of the repo. It is not written with a run.
	Data []byte `json:"-"`
}

// SourceKind is the kind of a DatasetSource.
type SourceKind string

// The kinds of source.
const (
	SourceRepo   SourceKind = "repo"
	SourceHTTP   SourceKind = "http"
	SourceOCI    SourceKind = "oci"
	SourceVolume SourceKind = "volume"
)

// TableFormat says how the rows of a file are read.
type TableFormat struct {
	File    string   `json:"file,omitempty"`    // which of several; "": the only one
	Format  string   `json:"format,omitempty"`  // csv, tsv or jsonl; "": by the file's name, where .gz is unpacked
	Headers []string `json:"headers,omitempty"` // names of the columns of a file without a first line of them
}

// Expectation is a condition on the rows of a dataset, in the words of Great
// Expectations and of the data quality facet of OpenLineage.
type Expectation struct {
	Pos  Pos             `json:"pos,omitzero"`
	Kind ExpectationKind `json:"kind"`
	// Column is the one that it is about.
	Column string     `json:"column,omitempty"`
	Type   ColumnType `json:"type,omitempty"` // "": any
	// Min and Max bound the number of rows, or each value of the column.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
	// Missing is the greatest share of missing values, 0 to 1; nil: any.
	Missing *float64 `json:"missing,omitempty"`
	Unique  bool     `json:"unique,omitempty"`
	Values  []string `json:"values,omitempty"`  // the only ones that are allowed
	Pattern string   `json:"pattern,omitempty"` // RE2 that each value matches whole
}

// ExpectationKind is what an Expectation is about.
type ExpectationKind string

// The kinds of expectation.
const (
	ExpectRows   ExpectationKind = "rows"
	ExpectColumn ExpectationKind = "column"
)

// ColumnType is what the values of a column must be.
type ColumnType string

// The types of a column.
const (
	ColumnInteger   ColumnType = "integer"
	ColumnNumber    ColumnType = "number"
	ColumnString    ColumnType = "string"
	ColumnBool      ColumnType = "bool"
	ColumnTimestamp ColumnType = "timestamp" // RFC 3339
)
