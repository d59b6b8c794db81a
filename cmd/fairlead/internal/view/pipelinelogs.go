package view

import (
	"encoding/json"
	"fmt"
	"sync"
)

// Logs shows what steps wrote. It is safe for concurrent use: lines never mix.
type Logs struct {
	v     *View
	json  bool
	clean bool
	width int // of the names in front of the lines; 0: none
	mu    sync.Mutex
	color map[string]string
}

// logColors tell the steps apart.
var logColors = []string{cyan, green, yellow, "35", "34", "36;1", "32;1", "33;1"}

// Logs begins to show the logs of nodes. With one node lines are as they were
// written; on a terminal without what would change it.
func (v *View) Logs(asJSON, terminal bool, nodes []string) *Logs {
	l := &Logs{v: v, json: asJSON, clean: terminal, color: map[string]string{}}
	for i, node := range nodes {
		l.color[node] = logColors[i%len(logColors)]
		if len(nodes) > 1 {
			l.width = max(l.width, len(node))
		}
	}
	return l
}

// LogLine is the JSON form of a line.
type LogLine struct {
	Node    string `json:"node"`
	Attempt int    `json:"attempt"`
	Line    string `json:"line"`
}

// Line shows a line.
func (l *Logs) Line(node string, attempt int, line string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.json {
		return json.NewEncoder(l.v.Out).Encode(LogLine{node, attempt, line})
	}
	if l.clean {
		line = Clean(line)
	}
	if l.width > 0 {
		line = l.v.paint(l.color[node], fmt.Sprintf("%-*s │", l.width, node)) + " " + line
	}
	return l.v.Line(line)
}
