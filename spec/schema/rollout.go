package schema

func rolloutBlock() *Block {
	failure := []string{"rollback", "hold"}
	return &Block{
		Name: "rollout",
		Doc: "How a new revision takes over. Without this block it takes over as soon as it is healthy. A rollout finishes under the rules that it was started with: an edit of this block counts for the next one. " +
			"Where there is no step, a strategy has its own: canary 5, 25 and 50 %, each held for the longest interval of the checks (1m without checks); " +
			"blue_green one of 100 % held as long (0s without checks); shadow and ab one of 0 % held as long (1m without checks).",
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
			{Name: "strategy", Type: Keyword, Keywords: []string{"canary", "blue_green", "shadow", "ab", "recreate"}, Default: "canary", Doc: "canary: by weight, in steps. blue_green: all requests at once, then the checks. shadow: copies of the requests, whose answers are compared and dropped. ab: by header or cookie. recreate: stop the old, then start the new."},
			{Name: "progress_deadline", Type: Duration, Default: `"1h"`, Min: bound(1), Max: bound(2592000), Doc: "Bounds every wait for evidence: past it, on_deadline decides. Waiting for an approval does not count."},
			{Name: "keep_previous", Type: Duration, Default: `"1h"`, Min: bound(0), Max: bound(2592000), Doc: "How long the old revision stays after the promotion, for an instant way back. It counts in the capacity of the plan."},
			{
				Name: "velocity", Type: Keyword, Keywords: []string{"restart", "queue_latest", "finish"}, Default: "restart",
				Doc: "What a newer revision does to a rollout under way. restart: it takes the candidate's place at once. queue_latest: it does so while the candidate takes no traffic yet; afterwards the rollout finishes, then the newest follows. " +
					"finish: the rollout always finishes first. A return to stable ends a rollout at once in any case.",
			},
			{Name: "on_failure", Type: Keyword, Keywords: failure, Default: "rollback", Doc: "What follows a failed check. rollback: stable gets all requests, and the revision is rejected until a person clears it. hold: the weight stays as it is until a person promotes or aborts."},
			{Name: "on_deadline", Type: Keyword, Keywords: failure, Default: "rollback", Doc: "What follows a passed progress_deadline; the words mean the same as in on_failure."},
		},
		Blocks: []*Block{stepBlock(), checkBlock(), matchBlock(), stickyBlock(), mirrorBlock()},
	}
}

func stepBlock() *Block {
	return &Block{
		Name: "step", Repeats: true,
		Doc: "One stage, in the order of the file. After the last one that passes, the candidate is promoted.",
		Example: `step {
  weight = 5
  hold   = "2m"
}`,
		Arguments: []*Argument{
			{Name: "weight", Type: Percent, Required: true, Min: bound(0), Max: bound(100), Example: "5", Doc: "Share of the requests that go to the candidate. It rises from step to step; blue_green takes 0 and 100 only, shadow 0 only. With ab it is the share of the callers that do not match."},
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
				Name: "metric", Type: Keyword,
				Doc: "What Fairlead measures itself. error_ratio: answers 5xx of all answers, 0 to 1. latency_p50, _p90, _p99: seconds. request_rate: requests per second. score_shift: how far the values of an output are spread differently from stable's, 0 to 1. " +
					"shadow_agreement: mirrored requests that both sides answer alike, 0 to 1. restarts: how often replicas of the candidate were started again.",
				Keywords: []string{"error_ratio", "latency_p50", "latency_p90", "latency_p99", "request_rate", "score_shift", "shadow_agreement", "restarts"},
			},
			{Name: "query", Type: String, Example: `"digits_accuracy{revision=\"$candidate\"}"`, Doc: "PromQL with one value as its result. $model, $stable, $candidate and $window are replaced."},
			{Name: "output", Type: String, Note: "the first numeric output", Example: `"digit"`, Doc: "The output of the signature that score_shift compares. It must be numeric."},
			{Name: "min", Type: Number, Doc: "Smallest value that passes."},
			{Name: "max", Type: Number, Example: "0.01", Doc: "Largest value that passes. Seconds for latencies; 0.01 is 1 % for ratios."},
			{Name: "min_vs_stable", Type: Number, Min: bound(0), Doc: "Smallest ratio of the candidate's value to that of stable."},
			{Name: "max_vs_stable", Type: Number, Min: bound(0), Example: "1.2", Doc: "Largest such ratio; leave room for chance, since with 1 a candidate like stable passes at every second look. Not for score_shift and shadow_agreement, which compare the two already, nor for restarts."},
			{Name: "interval", Type: Duration, Default: `"1m"`, Min: bound(1), Max: bound(86400), Doc: "Time between two measurements."},
			{Name: "failure_limit", Type: Integer, Default: "0", Min: bound(0), Max: bound(1000), Doc: "How many failures are tolerated in one rollout. The next one counts."},
			{Name: "min_samples", Type: Integer, Default: "5", Min: bound(1), Max: bound(1000000), Doc: "Fewest samples on each side; below, the outcome is insufficient, as it is while the measured value is beyond its bound and the samples do not tell that from chance. Five is the least with which two sides can differ at the 2 % level."},
		},
	}
}

func matchBlock() *Block {
	return &Block{
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
	}
}

func stickyBlock() *Block {
	return &Block{
		Name: "sticky",
		Doc: "Keeps a caller on the side, stable or candidate, that it once was on, while the weight only rises. Callers are told apart by a header or a cookie, exactly one of the two. " +
			"Without this block each request is drawn by itself. For the strategies canary and ab.",
		Example: `sticky {
  cookie = "side"
}`,
		Arguments: []*Argument{
			{Name: "header", Type: String, Example: `"X-User"`, Doc: "Name of a request header. Requests without it are drawn by themselves."},
			{Name: "cookie", Type: String, Example: `"side"`, Doc: "Name of a cookie. The gateway gives one to callers that have none."},
		},
	}
}

func mirrorBlock() *Block {
	return &Block{
		Name: "mirror",
		Doc:  "What a shadow rollout copies to the candidate, and when two answers agree. The copies never slow stable down: what the candidate cannot take in time is dropped.",
		Example: `mirror {
  percent   = 100
  tolerance = 0.001
}`,
		Arguments: []*Argument{
			{Name: "percent", Type: Percent, Default: "100", Min: bound(1), Max: bound(100), Doc: "Share of the requests that are copied."},
			{Name: "tolerance", Type: Number, Default: "0.001", Min: bound(0), Max: bound(1), Doc: "Relative difference up to which two numbers of the answers agree: 0.001 is 0.1 %. All else must be equal."},
		},
	}
}
