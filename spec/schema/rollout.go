package schema

func rolloutBlock() *Block {
	failure := []string{"rollback", "hold"}
	return &Block{
		Name: "rollout",
		Doc:  "How a new revision takes over. Without this block it takes over as soon as it is healthy.",
		Example: `rollout {
  strategy = canary

  step {
    weight = 5
    hold   = "2m"
  }
  step {
    weight   = 50
    approval = true
  }

  check "errors" {
    metric = error_ratio
    max    = 0.01
  }
}`,
		Arguments: []*Argument{
			{Name: "strategy", Type: Keyword, Keywords: []string{"canary", "blue_green", "shadow", "ab", "recreate"}, Default: "canary", Doc: "canary: by weight, in steps. blue_green: all at once, after the checks. shadow: mirrored requests, answers dropped. ab: by header or cookie. recreate: stop the old, then start the new."},
			{Name: "progress_deadline", Type: Duration, Default: `"1h"`, Min: bound(1), Max: bound(2592000), Doc: "Bounds every wait for evidence: past it, on_deadline decides. Waiting for an approval does not count."},
			{Name: "keep_previous", Type: Duration, Default: `"1h"`, Min: bound(0), Max: bound(2592000), Doc: "How long the old revision stays after the promotion, for an instant way back. It counts in the capacity of the plan."},
			{Name: "velocity", Type: Keyword, Keywords: []string{"restart", "queue_latest", "finish"}, Default: "restart", Doc: "What a newer revision does to a rollout under way: starts over with the newer one, waits and takes the newest, or lets it finish."},
			{Name: "on_failure", Type: Keyword, Keywords: failure, Default: "rollback", Doc: "What follows a failed check."},
			{Name: "on_deadline", Type: Keyword, Keywords: failure, Default: "rollback", Doc: "What follows a passed progress_deadline."},
		},
		Blocks: []*Block{stepBlock(), checkBlock(), {
			Name: "match",
			Doc:  "Which callers an ab rollout sends to the candidate: those with that header or cookie, exactly one of the two.",
			Example: `match {
  header = "X-Tester"
  value  = "yes"
}`,
			Arguments: []*Argument{
				{Name: "header", Type: String, Example: `"X-Tester"`, Doc: "Name of a request header."},
				{Name: "cookie", Type: String, Example: `"tester"`, Doc: "Name of a cookie."},
				{Name: "value", Type: String, Required: true, Example: `"yes"`, Doc: "The value that matches."},
			},
		}},
	}
}

func stepBlock() *Block {
	return &Block{
		Name: "step", Repeats: true,
		Doc: "One stage, in the order of the file. After the last one that passes, the candidate is promoted.",
		Arguments: []*Argument{
			{Name: "weight", Type: Percent, Required: true, Min: bound(0), Max: bound(100), Example: "5", Doc: "Share of the requests that go to the candidate. It rises from step to step; shadow takes 0 only."},
			{Name: "hold", Type: Duration, Default: `"0s"`, Min: bound(0), Max: bound(2592000), Example: `"2m"`, Doc: "How long the step lasts at least."},
			{Name: "approval", Type: Bool, Default: "false", Doc: "Waits for a person: `fairlead rollout promote`."},
			{Name: "replicas", Type: Integer, Note: "in proportion to weight", Min: bound(1), Max: bound(1000), Doc: "Replicas of the candidate in this step."},
			{Name: "checks", Type: RefList, Refers: "check", Note: "all", Example: "[check.errors]", Doc: "The checks of this rollout that count in this step."},
		},
	}
}

func checkBlock() *Block {
	return &Block{
		Name: "check", Label: "name", LabelRule: LabelName, Repeats: true,
		Doc: "One measured condition: exactly one of metric and query, and at least one bound. No measurement is no proof: without data the weight is held, until progress_deadline.",
		Example: `check "latency" {
  metric        = latency_p99
  max_vs_stable = 1.2
}`,
		Arguments: []*Argument{
			{
				Name: "metric", Type: Keyword, Doc: "What Fairlead measures itself.",
				Keywords: []string{"error_ratio", "latency_p50", "latency_p90", "latency_p99", "request_rate", "score_shift", "shadow_agreement", "restarts"},
			},
			{Name: "query", Type: String, Example: `"digits_accuracy{revision=\"$candidate\"}"`, Doc: "PromQL with one value as its result. $model, $stable, $candidate and $window are replaced."},
			{Name: "min", Type: Number, Doc: "Smallest value that passes."},
			{Name: "max", Type: Number, Example: "0.01", Doc: "Largest value that passes. Seconds for latencies."},
			{Name: "min_vs_stable", Type: Number, Min: bound(0), Doc: "Smallest ratio of the candidate's value to that of stable."},
			{Name: "max_vs_stable", Type: Number, Min: bound(0), Example: "1.2", Doc: "Largest such ratio."},
			{Name: "interval", Type: Duration, Default: `"1m"`, Min: bound(1), Max: bound(86400), Doc: "Time between two measurements."},
			{Name: "failure_limit", Type: Integer, Default: "0", Min: bound(0), Max: bound(1000), Doc: "How many failures are tolerated in one rollout. The next one counts."},
			{Name: "min_samples", Type: Integer, Default: "5", Min: bound(1), Max: bound(1000000), Doc: "Fewest samples on each side; below, the outcome is insufficient. Five is the least with which two sides can differ at the 2 % level."},
		},
	}
}
