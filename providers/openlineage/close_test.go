package openlineage

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/reconcile/run"
)

// mute is a service that never answers.
type mute struct{}

func (mute) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close() // as it has to be
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// One request may take longer than all that Close still sends.
func TestCloseEndsAServiceThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options{URL: "http://marquez:5000/api/v1/lineage"})
		if err != nil {
			t.Fatal(err)
		}
		c.http.Transport = mute{}
		began := time.Now()
		c.Emit(t.Context(), run.Event{Run: &run.Run{ID: "train-1"}})
		synctest.Wait() // the request is under way
		if err := c.Close(); err == nil {
			t.Error("nothing was said")
		}
		if took := time.Since(began); took != closeLimit {
			t.Errorf("it took %s, want %s", took, closeLimit)
		}
	})
}

// A service that never answers is asked again: the queue does not wait for it for ever.
func TestARequestThatIsNotAnsweredIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options{URL: "http://marquez:5000/api/v1/lineage"})
		if err != nil {
			t.Fatal(err)
		}
		asked := make(chan time.Time, 10)
		c.http.Transport = watched{asked}
		c.Emit(t.Context(), run.Event{Run: &run.Run{ID: "train-1"}})
		if first, second := <-asked, <-asked; second.Sub(first) != requestLimit+firstBackoff {
			t.Errorf("it was asked again after %s, want %s and %s", second.Sub(first), requestLimit, firstBackoff)
		}
		if err := c.Close(); err == nil {
			t.Error("nothing was said")
		}
	})
}

// watched is mute, and tells when it is asked.
type watched struct{ asked chan<- time.Time }

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	w.asked <- time.Now()
	return mute{}.RoundTrip(r)
}
