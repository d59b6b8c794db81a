package schema

// FormatVersion is that of Document's JSON. Minor versions add fields, major
// ones break.
const FormatVersion = "1.1"

// Document is the whole table as `fairlead schema --json` prints it.
type Document struct {
	FormatVersion string     `json:"format_version"`
	Blocks        []*Block   `json:"blocks"`
	Functions     []Function `json:"functions"`
	// Facts are what late expressions can refer to, and LateFunctions what they can
	// call with facts.
	Facts         []FactGroup `json:"facts"`
	LateFunctions []string    `json:"late_functions"`
}

// JSON returns the table in the form to be encoded.
func JSON() Document {
	return Document{FormatVersion: FormatVersion, Blocks: Root().Blocks, Functions: Functions(), Facts: Facts(), LateFunctions: LateFunctions()}
}
