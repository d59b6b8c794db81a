package schema

import (
	"fmt"
	"strings"
)

// Reference writes the table as the Markdown page spec/REFERENCE.md.
func Reference() string {
	var page strings.Builder
	root := Root()
	page.WriteString("# The language of Fairlead\n\n")
	page.WriteString("<!-- Written by `go test ./spec/schema -update` from the table in spec/schema. Do not edit. -->\n\n")
	page.WriteString(root.Doc + "\n\n")
	page.WriteString(rules)
	page.WriteString("## Blocks\n\n")
	for _, b := range root.Blocks {
		fmt.Fprintf(&page, "- [%s](#%s)\n", b.Name, b.Name)
	}
	page.WriteString("\nand [facts](#facts), [functions](#functions).\n")
	for _, b := range root.Blocks {
		writeBlock(&page, root, b, "", 2)
	}
	writeFacts(&page)
	page.WriteString("\n## Functions\n\n| function | result |\n|---|---|\n")
	for _, f := range Functions() {
		fmt.Fprintf(&page, "| `%s` | %s |\n", f.Call, cell(f.Doc))
	}
	return page.String()
}

// writeFacts writes what late expressions can refer to.
func writeFacts(page *strings.Builder) {
	page.WriteString("\n## Facts\n\n")
	page.WriteString("What is known only when a run is under way, or an object is judged, stands in conditions (`require`, `when`, `where`), in `env` and `command` of steps, and in `version` of `publish`. " +
		"All else in them is evaluated when the commit is read. A fact that is absent, null or no finite number is no evidence: what depends on it holds neither nor does not hold, and a gate or policy denies. " +
		"`try(FACT, OTHERWISE)` gives a value instead, `can(FACT)` asks whether there is one. There are no loops over facts.\n\n")
	fmt.Fprintf(page, "Functions that take facts: `%s`.\n", strings.Join(LateFunctions(), "`, `"))
	for _, g := range Facts() {
		fmt.Fprintf(page, "\n### facts of %s\n\n`%s`: %s\n", g.Root, g.Form, g.Doc)
		if len(g.Facts) == 0 {
			continue
		}
		page.WriteString("\n| fact | meaning |\n|---|---|\n")
		for _, f := range g.Facts {
			fmt.Fprintf(page, "| `%s` | %s |\n", f.Name, cell(f.Doc))
		}
	}
}

// rules is what holds for all blocks.
const rules = `Expressions are those of HCL, evaluated once, when the commit is read. They can read ` + "`var.NAME`, `local.NAME`, `env.name`" + `,
` + "`model.NAME.{name,version,image,port,replicas}`, and `each.key` and `each.value`" + ` in a block with ` + "`for_each`" + `. Nothing reads the clock, the
daemon's environment or the network; ` + "`file(\"PATH\")`" + ` reads a text file of the same commit, by its path from the root of the config repo.

- References to objects are written without quotes (` + "`model.digits`" + `), and so are keywords (` + "`canary`" + `). In JSON both are strings.
- Durations and sizes are quoted and carry a unit: ` + "`\"500ms\"`, `\"30s\"`, `\"1h30m\"`, `\"2d\"`; `\"64kB\"`, `\"256MiB\"`, `\"2GiB\"`" + `.
- A number is a number: ` + "`\"2\"`" + ` is text. Versions are quoted, as 1.10 would be the number 1.1.
- ` + "`null`" + ` stands for an argument that is not written.
- A ` + "`${`" + ` that is meant for a shell in the container is written ` + "`$${`" + `.

`

func writeBlock(page *strings.Builder, root, b *Block, path string, level int) {
	title := strings.TrimPrefix(path+"."+b.Name, ".")
	fmt.Fprintf(page, "\n%s %s\n\n", strings.Repeat("#", min(level, 6)), title)
	head := b.Name
	if b.Label != "" {
		head += fmt.Sprintf(" %q", strings.ToUpper(b.Label))
	}
	fmt.Fprintf(page, "`%s { ... }`, %s. %s\n", head, occurrence(b), b.Doc)
	if b.Example != "" {
		fmt.Fprintf(page, "\n```hcl\n%s\n```\n", b.Example)
	}
	if len(b.Arguments) > 0 {
		page.WriteString("\n| argument | type | default | meaning |\n|---|---|---|---|\n")
		for _, a := range b.Arguments {
			fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", a.Name, cell(typeOf(a)), cell(defaultOf(a)), cell(meaning(a)))
		}
	}
	if b.Name == "environment" {
		var overlaid []string
		for _, n := range b.Blocks {
			overlaid = append(overlaid, fmt.Sprintf("[%s](#%s)", n.Name, n.Name))
		}
		fmt.Fprintf(page, "\nIt holds overlays of %s.\n", strings.Join(overlaid, ", "))
		return
	}
	for _, n := range b.Blocks {
		if n == root.Block(n.Name) {
			fmt.Fprintf(page, "\nIt holds a [%s](#%s) block, with the same arguments and blocks as that of the file level.\n", n.Name, n.Name)
			continue
		}
		writeBlock(page, root, n, title, level+1)
	}
}

func occurrence(b *Block) string {
	switch {
	case b.Repeats && b.Label != "" && !b.Adds:
		return "once per label"
	case b.Repeats:
		return "any number"
	case b.Always:
		return "at most once; its defaults hold without it, too"
	default:
		return "at most once"
	}
}

func typeOf(a *Argument) string {
	switch a.Type {
	case Keyword, KeywordList, Triggers, Bump:
		words := make([]string, 0, len(a.Keywords))
		for _, k := range a.Keywords {
			words = append(words, "`"+k+"`")
		}
		return string(a.Type) + ": " + strings.Join(words, ", ")
	case Ref, RefList:
		return fmt.Sprintf("%s to %s", a.Type, WithArticle(a.Refers))
	case Integer, Number, Percent:
		if a.Min != nil && a.Max != nil && *a.Max < 1<<40 {
			return fmt.Sprintf("%s, %v to %.0f", a.Type, *a.Min, *a.Max)
		}
		return string(a.Type)
	default:
		return string(a.Type)
	}
}

// WithArticle is the name of a kind of block as it stands in a sentence: a model, an
// environment.
func WithArticle(kind string) string {
	if strings.ContainsAny(kind[:1], "aeiou") {
		return "an " + kind
	}
	return "a " + kind
}

func defaultOf(a *Argument) string {
	switch {
	case a.Required:
		return "**required**"
	case a.Default != "":
		return "`" + a.Default + "`"
	default:
		return a.Note
	}
}

func meaning(a *Argument) string {
	text := a.Doc
	if a.Example != "" {
		text += " Example: `" + a.Example + "`"
	}
	if a.Since != first {
		text += " Since " + a.Since + "."
	}
	return text
}

// cell makes text fit for a cell of a Markdown table.
func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
