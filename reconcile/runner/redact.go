package runner

import (
	"bytes"
	"io"
	"maps"

	"github.com/fairlead/fairlead/spec"
)

// maxLine is how much of a line without an end is held back: a secret that is cut
// there would show in two halves.
const maxLine = 64 << 10

// redactor blots the values of secrets out of what passes through, line by line.
type redactor struct {
	to      io.Writer
	secrets map[string]spec.Sensitive
	held    []byte
}

func (r *redactor) Write(p []byte) (int, error) {
	if len(r.secrets) == 0 {
		return r.to.Write(p)
	}
	r.held = append(r.held, p...)
	end := bytes.LastIndexByte(r.held, '\n') + 1
	if len(r.held)-end > maxLine {
		end = len(r.held)
	}
	if err := r.pass(end); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (r *redactor) flush() error { return r.pass(len(r.held)) }

func (r *redactor) pass(end int) error {
	if end == 0 {
		return nil
	}
	_, err := io.WriteString(r.to, spec.Redact(string(r.held[:end]), maps.Values(r.secrets)))
	r.held = append(r.held[:0], r.held[end:]...)
	return err
}
