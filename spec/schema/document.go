package schema

// FormatVersion is that of Document's JSON. Minor versions add fields, major
// ones break.
const FormatVersion = "1.0"

// Document is the whole table as `fairlead schema --json` prints it.
type Document struct {
	FormatVersion string     `json:"format_version"`
	Blocks        []*Block   `json:"blocks"`
	Functions     []Function `json:"functions"`
}

// JSON returns the table in the form to be encoded.
func JSON() Document {
	return Document{FormatVersion: FormatVersion, Blocks: Root().Blocks, Functions: Functions()}
}
