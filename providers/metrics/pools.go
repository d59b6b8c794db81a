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
// A pool is never given up, only emptied: the scraper marks the series of a target
// as ended when the target leaves a pool, but not when the pool goes. So pools are
// numbered and not named by their token, and there are never more of them than
// there were different tokens at one time.
type pools struct {
	tokens map[string]string // token of each pool by its name; never loses a name
}

// arrange returns the targets of each pool, and whether a pool is new or has
// another token than before.
func (p *pools) arrange(targets []reconcile.ScrapeTarget) (groups map[string][]*targetgroup.Group, changed bool) {
	byJob := map[string]map[string][]model.LabelSet{}
	for _, t := range targets {
		if byJob[t.Job] == nil {
			byJob[t.Job] = map[string][]model.LabelSet{}
		}
		byJob[t.Job][t.Token] = append(byJob[t.Job][t.Token], labelSet(t))
	}
	groups = map[string][]*targetgroup.Group{}
	for name := range p.tokens {
		groups[name] = []*targetgroup.Group{{Source: name}}
	}
	for job, byToken := range byJob {
		for i, token := range slices.Sorted(maps.Keys(byToken)) {
			name := fmt.Sprintf("%s/%d", job, i)
			if before, known := p.tokens[name]; !known || before != token {
				p.tokens[name] = token
				changed = true
			}
			groups[name] = []*targetgroup.Group{{Source: name, Targets: byToken[token]}}
		}
	}
	return groups, changed
}

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
func (p *pools) config(log *slog.Logger) (*config.Config, error) {
	cfg, err := config.Load("", log) // the defaults, and the mark that it was loaded
	if err != nil {
		return nil, fmt.Errorf("default configuration of the scraper: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(p.tokens)) {
		pool := poolConfig(name, p.tokens[name])
		if err := pool.Validate(cfg.GlobalConfig); err != nil {
			return nil, fmt.Errorf("configuration of the scraper for %s: %w", name, err)
		}
		cfg.ScrapeConfigs = append(cfg.ScrapeConfigs, pool)
	}
	return cfg, nil
}

func poolConfig(name, token string) *config.ScrapeConfig {
	native, classic := true, false
	c := config.DefaultScrapeConfig
	c.JobName = name
	c.ScrapeInterval = model.Duration(defaultInterval)
	c.ScrapeTimeout = model.Duration(defaultInterval)
	// A model's clock is not ours, and its samples must be in order.
	c.HonorTimestamps = false
	c.ScrapeNativeHistograms = &native
	c.AlwaysScrapeClassicHistograms = &classic
	c.ScrapeProtocols = config.DefaultProtoFirstScrapeProtocols
	c.ScrapeFallbackProtocol = config.PrometheusText0_0_4
	c.BodySizeLimit = maxBody
	c.SampleLimit = maxSamples
	c.LabelLimit = maxLabels
	c.LabelNameLengthLimit = maxLabelName
	c.LabelValueLengthLimit = maxLabelValue
	c.NativeHistogramBucketLimit = maxHistogramBuckets
	c.HTTPClientConfig.FollowRedirects = false // the token is for this endpoint only
	if token != "" {
		c.HTTPClientConfig.Authorization = &commonconfig.Authorization{Type: "Bearer", Credentials: commonconfig.Secret(token)}
	}
	return &c
}
