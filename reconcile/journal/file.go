package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Branch is the branch that holds the journal of an environment.
func Branch(environment string) string { return "fairlead/journal/" + environment }

// The folders of the journal's tree, one for each kind of object, with one file for
// each object. One without files is not there.
const (
	Folder         = "models"
	PipelineFolder = "pipelines"
	RepoFolder     = "repos"
	ProposalFolder = "proposals"
)

// Folders lists them all.
func Folders() []string { return []string{Folder, PipelineFolder, RepoFolder, ProposalFolder} }

// Folder is where the record of the entry's subject lies.
func (e *Entry) Folder() string {
	switch {
	case e.Pipeline != "":
		return PipelineFolder
	case e.Repo != "":
		return RepoFolder
	case e.Proposal != "":
		return ProposalFolder
	default:
		return Folder
	}
}

// EncodedRecord is the file that the entry leaves in its folder; nil where it removes it.
func (e *Entry) EncodedRecord() ([]byte, error) {
	switch {
	case e.Record != nil:
		return EncodeRecord(e.Model, *e.Record)
	case e.PipelineRecord != nil:
		return EncodePipelineRecord(e.Pipeline, *e.PipelineRecord)
	case e.RepoRecord != nil:
		return EncodeRepoRecord(e.Repo, *e.RepoRecord)
	case e.ProposalRecord != nil:
		return EncodeProposalRecord(e.Proposal, *e.ProposalRecord)
	default:
		return nil, nil
	}
}

// DecodeInto reads the file of the entry's subject, and sets the record.
func (e *Entry) DecodeInto(data []byte) error {
	switch e.Folder() {
	case PipelineFolder:
		r, err := DecodePipelineRecord(e.Pipeline, data)
		e.PipelineRecord = &r
		return err
	case RepoFolder:
		r, err := DecodeRepoRecord(e.Repo, data)
		e.RepoRecord = &r
		return err
	case ProposalFolder:
		r, err := DecodeProposalRecord(e.Proposal, data)
		e.ProposalRecord = &r
		return err
	default:
		r, err := DecodeRecord(e.Model, data)
		e.Record = &r
		return err
	}
}

// FileName is the name of the file of an object in its folder.
func FileName(name string) string { return name + ".json" }

// NameOf is the inverse of FileName. Files of another name are not the
// journal's.
func NameOf(file string) (name string, ours bool) {
	name, ours = strings.CutSuffix(file, ".json")
	return name, ours && validRun.MatchString(name)
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

// encode writes nothing that decode would refuse: such a journal could not be opened any
// more.
func encode[R anyRecord](name string, record R) ([]byte, error) {
	data, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the record of %s: %w", name, err)
	}
	if _, err := decode[R](name, data); err != nil {
		return nil, fmt.Errorf("write what could not be read again: %w", err)
	}
	return append(data, '\n'), nil
}

// anyRecord is a file of the journal.
type anyRecord interface {
	Record | PipelineRecord | RepoRecord | ProposalRecord
}

// DecodeRecord reads the file of a model. Texts come as printable lines. A record of a later format is refused:
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

// EncodeRepoRecord writes the file of a config repo, likewise.
func EncodeRepoRecord(repo string, r RepoRecord) ([]byte, error) {
	r.FormatVersion, r.Repo = RecordFormat, repo
	return encode(repo, r)
}

// DecodeRepoRecord reads the file of a config repo, likewise.
func DecodeRepoRecord(repo string, data []byte) (RepoRecord, error) {
	r, err := decode[RepoRecord](repo, data)
	if err == nil && r.Repo != repo {
		return RepoRecord{}, fmt.Errorf("the record of %s says that it is about %q", repo, r.Repo)
	}
	return r, err
}

// EncodeProposalRecord writes the file of a proposal, likewise.
func EncodeProposalRecord(proposal string, r ProposalRecord) ([]byte, error) {
	r.FormatVersion, r.Proposal = RecordFormat, proposal
	return encode(proposal, r)
}

// DecodeProposalRecord reads the file of a proposal, likewise: without it what people
// have rejected would be proposed again.
func DecodeProposalRecord(proposal string, data []byte) (ProposalRecord, error) {
	r, err := decode[ProposalRecord](proposal, data)
	if err == nil && r.Proposal != proposal {
		return ProposalRecord{}, fmt.Errorf("the record of %s says that it is about %q", proposal, r.Proposal)
	}
	return r, err
}

func decode[R anyRecord](name string, data []byte) (r R, err error) {
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
	s := new(sieve)
	if record, ok := any(&r).(sifter); ok {
		record.sift(s)
	}
	if s.bad != nil {
		var none R
		return none, fmt.Errorf("the record of %s holds what fairlead does not write: %w", name, s.bad)
	}
	return r, nil
}
