package diag

import "unicode/utf8"

// FormatVersion is that of Report's JSON. Minor versions add fields, major ones
// break; a reader refuses majors that it does not know.
const FormatVersion = "1.0"

// JSON is the machine form of a list of diagnostics.
type JSON struct {
	FormatVersion string           `json:"format_version"`
	Valid         bool             `json:"valid"`
	ErrorCount    int              `json:"error_count"`
	WarningCount  int              `json:"warning_count"`
	Diagnostics   []JSONDiagnostic `json:"diagnostics"`
}

// JSONDiagnostic is the machine form of one diagnostic.
type JSONDiagnostic struct {
	Severity string       `json:"severity"`
	Summary  string       `json:"summary"`
	Detail   string       `json:"detail,omitempty"`
	Address  string       `json:"address,omitempty"`
	Range    *Range       `json:"range,omitempty"`
	Snippet  *JSONSnippet `json:"snippet,omitempty"`
}

// JSONSnippet is the source that belongs to a diagnostic. The offsets count
// bytes in Code.
type JSONSnippet struct {
	Context              string      `json:"context,omitempty"` // the block around it
	Code                 string      `json:"code"`
	StartLine            int         `json:"start_line"`
	HighlightStartOffset int         `json:"highlight_start_offset"`
	HighlightEndOffset   int         `json:"highlight_end_offset"`
	Values               []ValueNote `json:"values"`
}

// Report returns the machine form, in the order of places.
func Report(ds Diagnostics, sources Sources) JSON {
	ds = ds.Sorted()
	errors, warnings := ds.Count()
	report := JSON{
		FormatVersion: FormatVersion,
		Valid:         errors == 0,
		ErrorCount:    errors,
		WarningCount:  warnings,
		Diagnostics:   make([]JSONDiagnostic, 0, len(ds)),
	}
	for _, d := range ds {
		j := JSONDiagnostic{
			Severity: d.Severity.String(), Summary: d.Summary, Detail: d.Detail, Address: d.Address, Range: d.Subject,
		}
		if s, ok := snippetOf(d, sources); ok && utf8.ValidString(s.code) {
			j.Snippet = &JSONSnippet{
				Context: d.Block, Code: s.code, StartLine: s.startLine,
				HighlightStartOffset: s.markFrom, HighlightEndOffset: s.markTo,
				Values: append([]ValueNote{}, d.Values...),
			}
		}
		report.Diagnostics = append(report.Diagnostics, j)
	}
	return report
}
