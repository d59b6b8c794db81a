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

// Folder holds the records of models in the journal's tree, one file for each, and
// PipelineFolder those of pipelines. A journal about no pipeline has no
// PipelineFolder.
const (
	Folder         = "models"
	PipelineFolder = "pipelines"
)

// FileName is the name of the file of a model or pipeline in its folder.
func FileName(name string) string { return name + ".json" }

// NameOf is the inverse of FileName. Files of another name are not the
// journal's.
func NameOf(file string) (name string, ours bool) {
	name, ours = strings.CutSuffix(file, ".json")
	return name, ours && spec.ValidName(name)
}

// ErrNewer: a record was written by a later version of Fairlead.
var ErrNewer = errors.New("it was written by a later version of fairlead")

// EncodeRecord writes the file of a model: indented, for people, so that `git
// show` tells what a decision changed.
func EncodeRecord(model string, r Record) ([]byte, error) {
	r.FormatVersion, r.Model = RecordFormat, model
	return encode(model, r)
}

// EncodePipelineRecord writes the file of a pipeline, likewise.
func EncodePipelineRecord(pipeline string, r PipelineRecord) ([]byte, error) {
	r.FormatVersion, r.Pipeline = RecordFormat, pipeline
	return encode(pipeline, r)
}

func encode(name string, record any) ([]byte, error) {
	data, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the record of %s: %w", name, err)
	}
	return append(data, '\n'), nil
}

// DecodeRecord reads the file of a model. A record of a later format is refused:
// to run on half of what was decided could start again what was rejected.
func DecodeRecord(model string, data []byte) (Record, error) {
	r, err := decode[Record](model, data)
	if err == nil && r.Model != model {
		return Record{}, fmt.Errorf("the record of %s says that it is about %q", model, r.Model)
	}
	return r, err
}

// DecodePipelineRecord reads the file of a pipeline, likewise: to run on half of it
// could publish twice.
func DecodePipelineRecord(pipeline string, data []byte) (PipelineRecord, error) {
	r, err := decode[PipelineRecord](pipeline, data)
	if err == nil && r.Pipeline != pipeline {
		return PipelineRecord{}, fmt.Errorf("the record of %s says that it is about %q", pipeline, r.Pipeline)
	}
	return r, err
}

func decode[R Record | PipelineRecord](name string, data []byte) (r R, err error) {
	var format struct {
		FormatVersion int `json:"format_version"`
	}
	if err := json.Unmarshal(data, &format); err != nil {
		return r, fmt.Errorf("the record of %s does not parse: %w", name, err)
	}
	switch {
	case format.FormatVersion > RecordFormat:
		return r, fmt.Errorf("the record of %s has the format %d, this version of fairlead reads %d: %w; upgrade fairlead", name, format.FormatVersion, RecordFormat, ErrNewer)
	case format.FormatVersion < 1:
		return r, fmt.Errorf("the record of %s does not say in which format it is: format_version is missing", name)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		var none R
		return none, fmt.Errorf("the record of %s does not parse: %w", name, err)
	}
	return r, nil
}
