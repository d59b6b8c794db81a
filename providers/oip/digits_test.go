package oip_test

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/providers/oip"
)

// The example's model server, as people build it, passes whole.
func TestDigitsServerPassesWhole(t *testing.T) {
	example, err := filepath.Abs("../../examples/digits")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "server")
	for _, args := range [][]string{{"build", "-o", program, "./server"}, {"run", "./train", "--out", dir}} {
		prepare := exec.CommandContext(t.Context(), "go", args...)
		prepare.Dir = example
		if out, err := prepare.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	server := exec.CommandContext(t.Context(), program, "--listen", "127.0.0.1:0", "--weights", filepath.Join(dir, "digits-1.0.0.json"))
	output, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	_, address, found := strings.Cut(line, "address=")
	if err != nil || !found {
		t.Fatalf("the server says %q, %v", line, err)
	}
	report := oip.Check(t.Context(), nil, "http://"+strings.Fields(address)[0], "")
	if !report.Conforms || report.Model != "digits" || report.Server != "digits-server 1.0.0" {
		t.Errorf("problem %q, model %q, server %q", report.Problem, report.Model, report.Server)
	}
	for _, r := range report.Results {
		if r.Outcome == oip.Failed || r.Outcome == oip.Skipped && !strings.HasPrefix(r.ID, "binary-") {
			t.Errorf("%s: %s: %s\nsent %s\ngot  %s", r.ID, r.Outcome, r.Reason, r.Sent, r.Answered)
		}
	}
}
