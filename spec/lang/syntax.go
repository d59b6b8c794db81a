package lang

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead/fairlead/spec/diag"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty/function"
)

// syntax takes over what the parser found. Its words stay, except where they
// leave a person alone.
func (r *reader) syntax(diags hcl.Diagnostics) {
	openString := false
	for _, d := range diags {
		if d.Severity != hcl.DiagError || d.Subject == nil {
			continue
		}
		summary, detail := d.Summary, sentence(d.Detail)
		switch {
		case r.continuesLine(*d.Subject):
			summary = "Expression ends with its line"
			detail = "A line break ends an expression, so this line starts with an operator that belongs to nothing. Put the whole expression in parentheses, or the operator at the end of the line before."
		case summary == "Invalid multi-line string", summary == "Unterminated template string":
			if openString {
				continue // all that follows is inside of the string that never ends
			}
			openString = true
			summary, detail = "String without end", "The quote that closes the string is missing on this line. For text of several lines write <<-EOT, the lines, and EOT."
		case summary == "Attribute redefined":
			summary, detail = "Duplicate argument", "The argument is set already in this block. Remove one of the two."
		case summary == "Argument or block definition required" && detail == "":
			detail = "A line of a spec is NAME = VALUE, or starts a block: NAME { ... }."
		}
		added := diag.Diagnostic{Severity: diag.Error, Summary: summary, Detail: detail, Subject: diagRange(*d.Subject)}
		if d.Context != nil {
			added.Context = diagRange(*d.Context)
		}
		r.diags = append(r.diags, added)
	}
}

// continuesLine tells whether a line starts with an operator, as the second line
// of an expression does that was broken before it.
func (r *reader) continuesLine(at hcl.Range) bool {
	if at.Start.Byte >= len(r.src) {
		return false
	}
	begin := bytes.LastIndexByte(r.src[:at.Start.Byte], '\n') + 1
	if len(bytes.TrimSpace(r.src[begin:at.Start.Byte])) > 0 || begin == 0 {
		return false
	}
	rest := r.src[at.Start.Byte:]
	return slices.ContainsFunc([]string{"?", ":", "+", "-", "*", "/ ", "%", "==", "!=", "<", ">", "&&", "||", "."}, func(op string) bool {
		return bytes.HasPrefix(rest, []byte(op))
	})
}

// evaluation takes over what went wrong with an expression. HCL goes on after a
// mistake and reports what follows from it; only the first counts.
func (e *evaluator) evaluation(diags hcl.Diagnostics, a *arg, refs []reference) {
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		summary, detail := d.Summary, sentence(d.Detail)
		rng := a.expr.Range()
		if d.Subject != nil {
			rng = *d.Subject
		}
		switch {
		case d.Summary == "Call to unknown function":
			summary = "Unknown function"
			detail = "There is no function of that name." + e.functionHint(d)
		case usesSecret(refs) && (strings.Contains(detail, "string") || strings.Contains(detail, "secret")):
			summary = "Secret used as text"
			detail = stringRemedySecret
		case strings.HasPrefix(summary, "Error in function call"):
			summary, detail = "Function failed", functionFailure(d)
		case strings.HasPrefix(summary, "Invalid function argument"):
			detail = strings.TrimPrefix(detail, "Invalid value for ")
			detail = "The function cannot take the value for " + detail
		}
		e.add(diag.Error, rng, *a.place, summary, detail)
		last := &e.diags[len(e.diags)-1]
		if d.Context != nil {
			last.Context = diagRange(*d.Context)
		}
		last.Values = e.valueNotes(refs)
		return
	}
}

const stringRemedySecret = "A secret is no text, and cannot become part of one. It can stand as a whole value in env, secrets and api_keys, and in url, token and signing_key of a notifier, so that it reaches nothing but the container or the receiver, or the gateway as a hash. Let the program in the container put its parts together."

// functionFailure is what a function itself said.
func functionFailure(d *hcl.Diagnostic) string {
	extra, isCall := hcl.DiagnosticExtra[interface {
		CalledFunctionName() string
		FunctionCallError() error
	}](d)
	if !isCall || extra.FunctionCallError() == nil {
		return sentence(d.Detail)
	}
	if failed, isPanic := errors.AsType[function.PanicError](extra.FunctionCallError()); isPanic {
		return fmt.Sprintf("%s() failed in a way that nothing it is given should be able to cause: %v. This is a bug in Fairlead; please report it with the expression.", extra.CalledFunctionName(), failed.Value)
	}
	return fmt.Sprintf("%s() failed: %s", extra.CalledFunctionName(), sentence(extra.FunctionCallError().Error()))
}

// functionHint helps with a function that is not there.
func (e *evaluator) functionHint(d *hcl.Diagnostic) string {
	extra, isCall := hcl.DiagnosticExtra[interface{ CalledFunctionName() string }](d)
	if !isCall {
		return ""
	}
	name := extra.CalledFunctionName()
	switch name {
	case "file": // which is missing in the operator's file alone
		return " This file stands by itself and reads no other. Write the text itself, over several lines as <<EOT, the lines, and EOT."
	case "timestamp", "uuid", "plantimestamp", "bcrypt", "uuidv4", "timeadd", "formatdate":
		return " Nothing may read the clock or make random values: a commit must always mean the same."
	case "env", "getenv", "get_env":
		return " The daemon's environment cannot be read. Declare a variable and set it from outside, or a secret."
	case "templatefile", "yamldecode", "fileset", "filebase64", "filemd5", "filesha256", "abspath", "pathexpand":
		return " Of the files of the repo, file() reads one as text, and jsondecode(file()) one as data."
	case "run_cmd", "http", "exec":
		return " Nothing outside of the repo can be reached from a spec."
	}
	return didYouMean(name, names(e.functions))
}

// valueNotes says what the references of a failed expression were. It tells
// kinds, not values: a variable from outside may be what nobody wanted to see in
// a log.
func (e *evaluator) valueNotes(refs []reference) []diag.ValueNote {
	var notes []diag.ValueNote
	for _, r := range refs {
		known := e.memo[r.ref]
		if known == nil || !known.ok || r.root == "secret" {
			continue
		}
		note := diag.ValueNote{Traversal: r.String(), Statement: "is " + kindOf(known.value)}
		if !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	return notes
}

func usesSecret(refs []reference) bool {
	return slices.ContainsFunc(refs, func(r reference) bool { return r.root == "secret" })
}

// sentence is a message of the parser on one line, with a capital and a stop.
func sentence(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		return s
	}
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
