package oci

import (
	"fmt"

	"github.com/fairlead/fairlead/reconcile"
)

// unavailable is an error that may pass by itself: it wraps reconcile.ErrUnavailable,
// whose text is about another thing than artifacts and is left out.
func unavailable(format string, args ...any) error {
	return &awayError{fmt.Errorf(format, args...)}
}

type awayError struct{ why error }

func (e *awayError) Error() string   { return e.why.Error() }
func (e *awayError) Unwrap() []error { return []error{e.why, reconcile.ErrUnavailable} }
