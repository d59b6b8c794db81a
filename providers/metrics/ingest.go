package metrics

import (
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// ingest stands between the scraper and the TSDB and notices what the scraper
// keeps to itself: that samples were scraped and could not be stored. Without it
// a full disk would look like a model that nobody calls.
type ingest struct {
	db  *tsdb.DB
	log *slog.Logger

	mu  sync.Mutex
	err error // of the last commit
}

// AppenderV2 implements storage.AppendableV2.
func (i *ingest) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &watchedAppender{AppenderV2: i.db.AppenderV2(ctx), ingest: i}
}

// failing returns why samples cannot be stored, or nil.
func (i *ingest) failing() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}

// committed takes note of how a commit ended, and says so where it is news.
func (i *ingest) committed(err error) {
	i.mu.Lock()
	before := i.err
	i.err = err
	i.mu.Unlock()
	switch {
	case err != nil && before == nil:
		i.log.Error("scraped metrics cannot be stored; checks of rollouts wait until they can",
			slog.String("dir", i.db.Dir()), slog.String("err", err.Error()), slog.Bool("disk_full", noRoom(err)))
	case err == nil && before != nil:
		i.log.Info("scraped metrics are stored again", slog.String("dir", i.db.Dir()))
	}
}

// watchedAppender tells ingest how its commit ended.
type watchedAppender struct {
	storage.AppenderV2
	ingest *ingest
}

// Commit implements storage.AppenderTransaction.
func (a *watchedAppender) Commit() error {
	err := a.AppenderV2.Commit()
	a.ingest.committed(err)
	return err
}
