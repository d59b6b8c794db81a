package runner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/reconcile/expect"
	"github.com/fairlead/fairlead/reconcile/run"
	"github.com/fairlead/fairlead/reconcile/tabular"
	"github.com/fairlead/fairlead/spec"
)

// prepare pins the images of a run, fetches its datasets and checks what is expected
// of them, and finds out the versions of its secrets.
func (j *job) prepare(ctx context.Context) (*run.Prepared, error) {
	if err := j.canPublish(); err != nil {
		return nil, err
	}
	p := &run.Prepared{Images: map[string]reconcile.Image{}, Datasets: map[string]run.Dataset{}}
	if err := j.pin(ctx, p); err != nil {
		return nil, err
	}
	names := run.UsedSecrets(&j.run.Definition)
	values, err := j.secrets(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if p.Secrets == nil {
			p.Secrets = map[string]string{}
		}
		p.Secrets[name] = j.opts.SecretVersion("secret "+name, values[name])
	}
	var broken []error
	for _, d := range j.datasets() {
		if !run.Reads(&j.run.Definition, d.Name) {
			continue
		}
		if content := j.run.Contents[d.Name]; content != "" {
			p.Datasets[d.Name] = run.Dataset{Digest: j.run.Recorded[d.Name], Content: content}
			continue
		}
		got, err := j.fetchDataset(ctx, d)
		if recorded := j.run.Recorded[d.Name]; err == nil && recorded != "" && got.Digest != recorded {
			err = fmt.Errorf("it is %s now, and %s was made from %s", got.Digest, j.run.Reproduces, recorded)
		}
		if err != nil {
			broken = append(broken, fmt.Errorf("dataset.%s: %w", d.Name, err))
		}
		p.Datasets[d.Name] = got
	}
	return p, errors.Join(broken...)
}

// canPublish says early what would fail only when everything has been trained. What nobody
// has reviewed has no commit yet.
func (j *job) canPublish() error {
	p := j.run.Definition.Publish
	if p == nil || j.run.Reproduces != "" || j.wanted == nil || j.wanted.Reviewed != nil || j.wanted.Tree.Commit().ID != "" {
		return nil
	}
	return fmt.Errorf("%s: the specs are in a plain directory and in no Git repository, so there is nowhere to propose a version; put them into one, or leave out publish", p.Pos)
}

func (j *job) datasets() []*spec.Dataset {
	if j.wanted == nil {
		return nil
	}
	return j.wanted.Config.Datasets
}

// pin resolves the images of the steps. One that reproduces a version takes those
// that the version was made with.
func (j *job) pin(ctx context.Context, p *run.Prepared) error {
	for ref, image := range j.run.Images { // of a version, or of the attempt before
		p.Images[ref] = image
	}
	for _, s := range j.run.Definition.Steps {
		if _, pinned := p.Images[s.Image]; pinned {
			continue
		}
		image, err := j.opts.Runtime.Resolve(ctx, s.Image)
		if err != nil {
			return fmt.Errorf("%s: step.%s: image %s: %w", s.Pos, s.Name, s.Image, err)
		}
		p.Images[s.Image] = image
	}
	return nil
}

// fetchDataset brings a dataset into the store and holds it against what is declared
// of it.
func (j *job) fetchDataset(ctx context.Context, d *spec.Dataset) (run.Dataset, error) {
	opts := j.opts
	if !j.wanted.mayFetch(d) {
		return run.Dataset{}, fmt.Errorf("%s: %s is not read before it was reviewed", d.Pos, d.Source.Location)
	}
	content, digest, err := j.bring(ctx, d)
	if err != nil {
		return run.Dataset{}, err
	}
	if d.Digest != "" && digest != d.Digest {
		return run.Dataset{}, fmt.Errorf("%s: its digest is %s and the declared one %s: the data is not what was reviewed; change digest if it should be", d.Pos, digest, d.Digest)
	}
	got := run.Dataset{Digest: digest, Content: content.Digest, Size: content.Size}
	if len(d.Expect) == 0 || !j.wanted.shows(d) {
		return got, nil
	}
	report, err := check(ctx, opts, d, content)
	if err != nil {
		return run.Dataset{}, fmt.Errorf("%s: its expectations cannot be checked: %w", d.Pos, err)
	}
	got.Rows = report.Rows
	var failed []string
	for _, a := range report.Assertions {
		if a.Success {
			got.Checked = append(got.Checked, a.Detail)
			continue
		}
		if d.Personal { // reasons are journaled, and stay
			failed = append(failed, fmt.Sprintf("%s: %s %s: %d of %d values break it, the first in line %d", a.Pos, a.Assertion, a.Column, a.Broken, a.Checked, a.FirstLine))
			continue
		}
		failed = append(failed, fmt.Sprintf("%s: %s", a.Pos, a.Detail))
	}
	if len(failed) > 0 {
		return run.Dataset{}, fmt.Errorf("it is not what is expected of it: %s", strings.Join(failed, "; "))
	}
	return got, nil
}

// bring puts a dataset into the store. The digest is that of the file as sha256sum
// has it, or of an artifact's manifest.
func (j *job) bring(ctx context.Context, d *spec.Dataset) (reconcile.Content, string, error) {
	opts := j.opts
	switch d.Source.Kind {
	case spec.SourceRepo:
		sum := sha256.Sum256(d.Source.Data)
		content, err := opts.Artifacts.PutFile(ctx, d.Source.File, bytes.NewReader(d.Source.Data))
		return content, digestText(sum[:]), err
	case spec.SourceHTTP:
		body, _, err := opts.download(d).Get(ctx, d.Source.Location, "")
		if err != nil {
			return reconcile.Content{}, "", err
		}
		hash := sha256.New()
		bounded := &io.LimitedReader{R: body, N: maxDownload + 1}
		content, err := opts.Artifacts.PutFile(ctx, d.Source.File, io.TeeReader(bounded, hash))
		if bounded.N <= 0 {
			err = fmt.Errorf("it has more than %d GiB; put data of this size into a registry or a volume", maxDownload>>30)
		}
		return content, digestText(hash.Sum(nil)), errors.Join(err, body.Close())
	case spec.SourceOCI:
		digest, err := opts.Artifacts.Resolve(ctx, d.Source.Location)
		if err != nil {
			return reconcile.Content{}, "", err
		}
		content, err := opts.Artifacts.Fetch(ctx, withDigest(d.Source.Location, digest))
		return content, digest, err
	case spec.SourceVolume:
		if j.preview {
			return reconcile.Content{}, "", errors.New("what is in a volume is known when a run has copied it")
		}
		content, err := j.importVolume(ctx, d)
		return content, content.Digest, err
	default:
		return reconcile.Content{}, "", fmt.Errorf("a source of the kind %q cannot be read here", d.Source.Kind)
	}
}

// download is what may fetch a dataset.
func (o *Options) download(d *spec.Dataset) Download {
	if d.Source.Public {
		return o.PublicDownload
	}
	return o.Download
}

// maxDownload bounds a dataset that comes over HTTP, in bytes.
const maxDownload = 64 << 30

func digestText(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

// withDigest turns oci://HOST/REPOSITORY:TAG into one by digest.
func withDigest(ref, digest string) string {
	name, _, _ := strings.Cut(ref, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name + "@" + digest
}

// check reads the table and holds it against the expectations.
func check(ctx context.Context, opts *Options, d *spec.Dataset, content reconcile.Content) (*expect.Report, error) {
	file := d.Table.File
	if file == "" {
		file = d.Source.File
	}
	if file == "" {
		return nil, errors.New("it has several files, perhaps; say which one is the table: table { file = \"...\" }")
	}
	body, err := opts.Artifacts.Open(ctx, content.Digest, file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // it was only read
	reader, err := tabular.NewReader(body, file, tabular.Options{Table: d.Table})
	if err != nil {
		return nil, err
	}
	return expect.Check(reader, d.Expect)
}

// peeked is what a dataset is now, as far as that can be told without bringing it all
// here each time: of a volume it cannot. version is what the server of an address said
// before, and says now.
func peeked(ctx context.Context, opts *Options, d *spec.Dataset, before peek) (peek, error) {
	switch {
	case d.Digest != "":
		return peek{digest: d.Digest}, nil
	case d.Source.Kind == spec.SourceRepo:
		sum := sha256.Sum256(d.Source.Data)
		return peek{digest: digestText(sum[:])}, nil
	case d.Source.Kind == spec.SourceOCI:
		digest, err := opts.Artifacts.Resolve(ctx, d.Source.Location)
		return peek{digest: digest}, err
	case d.Source.Kind == spec.SourceHTTP:
		body, version, err := opts.download(d).Get(ctx, d.Source.Location, before.version)
		if err != nil || body == nil {
			return before, err
		}
		hash := sha256.New()
		_, err = io.Copy(hash, body)
		return peek{digest: digestText(hash.Sum(nil)), version: version}, errors.Join(err, body.Close())
	default:
		return before, fmt.Errorf("a source of the kind %q cannot be asked whether it changed", d.Source.Kind)
	}
}

// peek is what a dataset was when it was looked at.
type peek struct {
	digest  string
	version string // of the server: an ETag
	at      time.Time
	flying  bool // it is being looked at
}

// peekHTTP is how often an address is asked: where the server tells no version, all of
// the data comes each time.
const peekHTTP = 15 * time.Minute

// peekLimit is how long one look may take.
const peekLimit = 10 * time.Minute

// triggers are the datasets that pipelines are started by.
func triggers(cfg *spec.Config) []string {
	var names []string
	for _, p := range cfg.Pipelines {
		for _, t := range p.On {
			if t.Kind == spec.TriggerDataset {
				names = append(names, t.Dataset)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
