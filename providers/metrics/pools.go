package metrics

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/fairlead/fairlead/reconcile"
)

const (
	defaultInterval = 5 * time.Second
	maxTimeout      = 10 * time.Second
)

// Limits of one scrape. An endpoint beyond them counts as down: a model may tell
// any metrics it likes, but not fill the memory of the daemon.
const (
	maxBody             = 64 << 20 // bytes
	maxSamples          = 200_000
	maxLabels           = 64
	maxLabelName        = 256
	maxLabelValue       = 4096
	maxHistogramBuckets = 2000 // beyond that its resolution is halved
)

// pools sorts targets into scrape pools, the scraper's groups of targets that
// share a client. Targets of one job with the same token share a pool.
//
// The scraper marks the series of a target as ended when the target leaves a pool,
// but not when the pool goes, nor when the pool gets another client at that
// moment. So a pool is only emptied, never given up; and it gets another token
// only when it was empty before. There are few: a token that is rotated moves its
// targets back and forth between two of them.
type pools map[string][]*pool // by job

// pool is one of them. Its name is its job and its place in the list, so that no
// token is told by it.
type pool struct {
	token string
	busy  bool // it has targets
}

// arrange returns the targets of each pool by its name, and whether a pool is new
// or has another token than before.
func (p pools) arrange(targets []reconcile.ScrapeTarget) (groups map[string][]*targetgroup.Group, changed bool) {
	byJob := map[string]map[string][]model.LabelSet{}
	for job := range p {
		byJob[job] = nil
	}
	for _, t := range targets {
		if byJob[t.Job] == nil {
			byJob[t.Job] = map[string][]model.LabelSet{}
		}
		byJob[t.Job][t.Token] = append(byJob[t.Job][t.Token], labelSet(t))
	}
	groups = map[string][]*targetgroup.Group{}
	for job, byToken := range byJob {
		changed = p.assign(job, slices.Sorted(maps.Keys(byToken))) || changed
		for i, pool := range p[job] {
			sets := byToken[pool.token]
			pool.busy = len(sets) > 0
			groups[poolName(job, i)] = []*targetgroup.Group{{Source: job, Targets: sets}}
		}
	}
	return groups, changed
}

// assign sees to it that there is a pool for each token.
func (p pools) assign(job string, tokens []string) (changed bool) {
	for _, token := range tokens {
		if slices.ContainsFunc(p[job], func(known *pool) bool { return known.token == token }) {
			continue
		}
		changed = true
		free := slices.IndexFunc(p[job], func(known *pool) bool { return !known.busy && !slices.Contains(tokens, known.token) })
		if free < 0 {
			p[job] = append(p[job], &pool{token: token})
		} else {
			p[job][free].token = token
		}
	}
	return changed
}

func poolName(job string, i int) string { return fmt.Sprintf("%s/%d", job, i) }

// labelSet is how the scraper is told where and how often to scrape.
func labelSet(t reconcile.ScrapeTarget) model.LabelSet {
	interval := cmp.Or(max(t.Interval, 0), defaultInterval)
	set := model.LabelSet{}
	for name, value := range t.Labels {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	set[model.JobLabel] = model.LabelValue(t.Job)
	set[model.AddressLabel] = model.LabelValue(t.Address)
	set[model.MetricsPathLabel] = model.LabelValue(cmp.Or(t.Path, "/metrics"))
	set[model.ScrapeIntervalLabel] = milliseconds(interval)
	set[model.ScrapeTimeoutLabel] = milliseconds(min(interval, maxTimeout))
	return set
}

func milliseconds(d time.Duration) model.LabelValue {
	return model.LabelValue(fmt.Sprintf("%dms", max(d.Milliseconds(), 1)))
}

// config is the scraper's configuration with all pools.
func (p pools) config(log *slog.Logger) (*config.Config, error) {
	cfg, err := config.Load("", log) // the defaults, and the mark that it was loaded
	if err != nil {
		return nil, fmt.Errorf("default configuration of the scraper: %w", err)
	}
	for job, list := range p {
		for i, pool := range list {
			one := poolConfig(job, i, pool.token)
			if err := one.Validate(cfg.GlobalConfig); err != nil {
				return nil, fmt.Errorf("configuration of the scraper for %s: %w", job, err)
			}
			cfg.ScrapeConfigs = append(cfg.ScrapeConfigs, one)
		}
	}
	return cfg, nil
}

func poolConfig(job string, i int, token string) *config.ScrapeConfig {
	native, classic := true, false
	c := config.DefaultScrapeConfig
	c.JobName = poolName(job, i)
	c.ScrapeInterval = model.Duration(defaultInterval)
	c.ScrapeTimeout = model.Duration(defaultInterval)
	// A model's clock is not ours, and its samples must be in order.
	c.HonorTimestamps = false
	c.ScrapeNativeHistograms = &native
	c.AlwaysScrapeClassicHistograms = &classic
	c.ScrapeProtocols = config.DefaultProtoFirstScrapeProtocols
	c.ScrapeFallbackProtocol = config.PrometheusText0_0_4
	// Gateway and models are on this host, where a compressor costs more than it saves:
	// above a megabyte of memory for each scrape.
	c.EnableCompression = false
	c.BodySizeLimit = maxBody
	c.SampleLimit = maxSamples
	c.LabelLimit = maxLabels
	c.LabelNameLengthLimit = maxLabelName
	c.LabelValueLengthLimit = maxLabelValue
	c.NativeHistogramBucketLimit = maxHistogramBuckets
	c.HTTPClientConfig.FollowRedirects = false // the token is for this endpoint only
	if job == reconcile.JobModel {
		c.MetricRelabelConfigs = []*relabel.Config{dropOurs()}
	}
	if token != "" {
		c.HTTPClientConfig.Authorization = &commonconfig.Authorization{Type: "Bearer", Credentials: commonconfig.Secret(token)}
	}
	return &c
}

// dropOurs drops what a model tells under a name of Fairlead's own metrics: those
// are evidence about it, and not for it to write.
func dropOurs() *relabel.Config {
	c := relabel.DefaultRelabelConfig
	c.SourceLabels = model.LabelNames{model.MetricNameLabel}
	c.Regex = relabel.MustNewRegexp("fairlead_.*")
	c.Action = relabel.Drop
	return &c
}
