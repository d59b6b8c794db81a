package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// Branch is the branch that holds the journal of an environment.
func Branch(environment string) string { return "fairlead/journal/" + environment }

// Folder holds the records in the journal's tree, one file for each model.
const Folder = "models"

// FileName is the name of a model's file in Folder.
func FileName(model string) string { return model + ".json" }

// ModelOf is the inverse of FileName. Files of another name are not the
// journal's.
func ModelOf(file string) (model string, ours bool) {
	model, ours = strings.CutSuffix(file, ".json")
	return model, ours && spec.ValidName(model)
}

// ErrNewer: a record was written by a later version of Fairlead.
var ErrNewer = errors.New("it was written by a later version of fairlead")

// EncodeRecord writes the file of a model: indented, for people, so that `git
// show` tells what a decision changed.
func EncodeRecord(model string, r Record) ([]byte, error) {
	r.FormatVersion, r.Model = RecordFormat, model
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the record of %s: %w", model, err)
	}
	return append(data, '\n'), nil
}

// DecodeRecord reads the file of a model. A record of a later format is refused:
// to run on half of what was decided could start again what was rejected.
func DecodeRecord(model string, data []byte) (Record, error) {
	var format struct {
		FormatVersion int `json:"format_version"`
	}
	if err := json.Unmarshal(data, &format); err != nil {
		return Record{}, fmt.Errorf("the record of %s does not parse: %w", model, err)
	}
	switch {
	case format.FormatVersion > RecordFormat:
		return Record{}, fmt.Errorf("the record of %s has the format %d, this version of fairlead reads %d: %w; upgrade fairlead", model, format.FormatVersion, RecordFormat, ErrNewer)
	case format.FormatVersion < 1:
		return Record{}, fmt.Errorf("the record of %s does not say in which format it is: format_version is missing", model)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("the record of %s does not parse: %w", model, err)
	}
	if r.Model != model {
		return Record{}, fmt.Errorf("the record of %s says that it is about %q", model, r.Model)
	}
	return r, nil
}
