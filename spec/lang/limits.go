package lang

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits bound what a spec may cost before it is parsed and while it is
// evaluated. A spec comes from whoever can open a pull request, and HCL's parser
// and evaluator are recursive and unbounded: 200 kB of "[" end the process with
// a stack overflow that nothing can catch.
type Limits struct {
	FileBytes int64 // of one spec file
	// RepoBytes is for all spec files together. It leaves room for the 10,000
	// models that Fairlead is built for, which are some 10 MB; it is there to
	// stop what nobody wrote by hand.
	RepoBytes  int64
	Depth      int // of brackets, blocks, templates and directives in each other
	Operators  int // in one expression at one level of brackets
	ForNesting int // `for` expressions in each other
	Elements   int // in one value, counted at every depth
	TextBytes  int // in one value, counted at every depth
	Steps      int // of evaluation in one expression
	LoadSteps  int // of evaluation in one load
	References int // that lead from one expression to the next
}

// DefaultLimits returns the limits that hold where Options leaves one at zero.
func DefaultLimits() Limits {
	return Limits{
		FileBytes: 256 << 10, RepoBytes: 64 << 20, Depth: 64, Operators: 256, ForNesting: 2,
		Elements: 10_000, TextBytes: 1 << 20, Steps: 100_000, LoadSteps: 10_000_000, References: 1_000,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	fill(&l.FileBytes, d.FileBytes)
	fill(&l.RepoBytes, d.RepoBytes)
	fill(&l.Depth, d.Depth)
	fill(&l.Operators, d.Operators)
	fill(&l.ForNesting, d.ForNesting)
	fill(&l.Elements, d.Elements)
	fill(&l.TextBytes, d.TextBytes)
	fill(&l.Steps, d.Steps)
	fill(&l.LoadSteps, d.LoadSteps)
	fill(&l.References, d.References)
	return l
}

func fill[T int | int64](n *T, otherwise T) {
	if *n == 0 {
		*n = otherwise
	}
}

// postfixes bounds `.name` and `[index]` in one expression at one level.
const postfixes = 1024

// digits bounds the length of one number.
const digits = 128

// excess is a limit that a file breaks, and where.
type excess struct {
	rng    hcl.Range
	detail string
}

// checkNative looks at the tokens of a native file before the parser does. The
// scanner is not recursive, so it is safe on any input.
func (l Limits) checkNative(src []byte, filename string) *excess {
	if l.obviouslySmall(src) {
		return nil
	}
	if e := l.checkNumbers(src, filename); e != nil {
		return e
	}
	return l.checkLexed(src, func(part []byte) hclsyntax.Tokens {
		tokens, _ := hclsyntax.LexConfig(part, filename, hcl.InitialPos)
		return tokens
	})
}

// glance is how much of a text is looked at first. The scanner needs some 0.3 ms
// for a kilobyte of brackets, and what breaks a limit mostly does so early.
const glance = 16 << 10

// checkLexed checks the tokens of a text: those of its beginning, then all.
func (l Limits) checkLexed(text []byte, lex func(part []byte) hclsyntax.Tokens) *excess {
	if len(text) > glance {
		if e := l.checkTokens(lex(text[:glance])); e != nil {
			return e
		}
	}
	return l.checkTokens(lex(text))
}

// obviouslySmall tells whether no limit can be broken, because the whole file
// has fewer characters that could count than the limits allow. It spares nearly
// every real file the second pass of the scanner.
func (l Limits) obviouslySmall(src []byte) bool {
	opens, operators, run := 0, 0, 0
	for i, c := range src {
		if c >= '0' && c <= '9' {
			if run++; run > digits {
				return false
			}
			continue
		}
		run = 0
		switch c {
		case '(', '[', '{':
			opens++
		case '+', '-', '*', '/', '%', '!', '<', '>', '&', '|', '?', '.':
			operators++
		case '=':
			if i > 0 && src[i-1] == '=' {
				operators++
			}
		}
	}
	return opens <= l.Depth && operators <= l.Operators && !bytes.Contains(src, []byte("for ")) &&
		!bytes.Contains(src, []byte("for\t")) && !bytes.Contains(src, []byte("for\n")) && !bytes.Contains(src, []byte("for/"))
}

// checkNumbers refuses numbers of absurd length wherever they stand: reading one
// takes time that grows with the square of its digits.
func (l Limits) checkNumbers(src []byte, filename string) *excess {
	run := 0
	for i, c := range src {
		if c < '0' || c > '9' {
			run = 0
			continue
		}
		if run++; run > 16*digits {
			return &excess{positionOf(src, filename, i-run+1), fmt.Sprintf("It holds a run of more than %d digits.", 16*digits)}
		}
	}
	return nil
}

// frame is one level of brackets.
type frame struct {
	open       hclsyntax.TokenType
	operators  int
	postfixes  int
	directives int // open %{if} and %{for} in a template
	isFor      bool
}

// tokenCheck walks tokens and keeps count.
type tokenCheck struct {
	limits     Limits
	frames     []frame
	directives int
	fors       int
	previous   hclsyntax.TokenType
}

// checkTokens returns the first limit that the tokens break, or nil.
func (l Limits) checkTokens(tokens hclsyntax.Tokens) *excess {
	c := tokenCheck{limits: l, frames: []frame{{open: hclsyntax.TokenOBrace}}}
	for _, t := range tokens {
		if detail := c.token(t); detail != "" {
			return &excess{t.Range, detail}
		}
		if t.Type != hclsyntax.TokenNewline && t.Type != hclsyntax.TokenComment {
			c.previous = t.Type
		}
	}
	return nil
}

func (c *tokenCheck) token(t hclsyntax.Token) string {
	top := &c.frames[len(c.frames)-1]
	switch t.Type {
	case hclsyntax.TokenOBrack, hclsyntax.TokenOBrace, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp,
		hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
		return c.opens(top, t.Type)
	case hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd,
		hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
		c.closes(top)
	case hclsyntax.TokenComma:
		top.operators, top.postfixes = 0, 0
	case hclsyntax.TokenNewline:
		if top.open == hclsyntax.TokenOBrace {
			top.operators, top.postfixes = 0, 0
		}
	case hclsyntax.TokenIdent:
		return c.word(top, string(t.Bytes))
	case hclsyntax.TokenNumberLit:
		if len(t.Bytes) > digits {
			return fmt.Sprintf("A number has more than %d digits.", digits)
		}
	case hclsyntax.TokenDot, hclsyntax.TokenStar:
		top.postfixes++
		if top.postfixes > postfixes {
			return fmt.Sprintf("One expression has more than %d steps of the form .name or [index].", postfixes)
		}
	case hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenSlash, hclsyntax.TokenPercent, hclsyntax.TokenBang,
		hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
		hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenQuestion:
		top.operators++
		if top.operators > c.limits.Operators {
			return fmt.Sprintf("One expression has more than %d operators in a row.", c.limits.Operators)
		}
	default: // names, text, separators and what the parser will refuse cost nothing
	}
	return ""
}

func (c *tokenCheck) opens(top *frame, open hclsyntax.TokenType) string {
	if open == hclsyntax.TokenOBrack {
		if top.postfixes++; top.postfixes > postfixes {
			return fmt.Sprintf("One expression has more than %d steps of the form .name or [index].", postfixes)
		}
	}
	c.frames = append(c.frames, frame{open: open})
	if len(c.frames)-1+c.directives > c.limits.Depth {
		return fmt.Sprintf("Blocks, brackets and templates stand in each other more than %d levels deep.", c.limits.Depth)
	}
	return ""
}

func (c *tokenCheck) closes(top *frame) {
	if top.isFor {
		c.fors--
	}
	c.directives -= top.directives
	if len(c.frames) > 1 {
		c.frames = c.frames[:len(c.frames)-1]
	}
}

// word counts `for` expressions and the directives of templates.
func (c *tokenCheck) word(top *frame, word string) string {
	starts := c.previous == top.open
	if word == "for" && starts && (top.open == hclsyntax.TokenOBrack || top.open == hclsyntax.TokenOBrace) {
		top.isFor = true
		c.fors++
	}
	if starts && top.open == hclsyntax.TokenTemplateControl && len(c.frames) > 1 {
		template := &c.frames[len(c.frames)-2]
		switch word {
		case "if", "for":
			template.directives++
			c.directives++
		case "endif", "endfor":
			if template.directives > 0 {
				template.directives--
				c.directives--
			}
		}
	}
	if c.fors > c.limits.ForNesting {
		return fmt.Sprintf("More than %d `for` expressions stand in each other.", c.limits.ForNesting)
	}
	if len(c.frames)-1+c.directives > c.limits.Depth {
		return fmt.Sprintf("Blocks, brackets and templates stand in each other more than %d levels deep.", c.limits.Depth)
	}
	return ""
}

// checkJSON looks at the brackets and numbers of a JSON file before the parser
// does. Templates inside of its strings are checked when they are read.
func (l Limits) checkJSON(src []byte, filename string) *excess {
	depth, inString := 0, false
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			if depth++; depth > l.Depth {
				return &excess{positionOf(src, filename, i), fmt.Sprintf("Objects and arrays stand in each other more than %d levels deep.", l.Depth)}
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return l.checkNumbers(src, filename)
}

// positionOf is the range of one byte of a file.
func positionOf(src []byte, filename string, at int) hcl.Range {
	line := 1 + bytes.Count(src[:at], []byte("\n"))
	column := at - (bytes.LastIndexByte(src[:at], '\n') + 1) + 1
	start := hcl.Pos{Line: line, Column: column, Byte: at}
	end := hcl.Pos{Line: line, Column: column + 1, Byte: at + 1}
	return hcl.Range{Filename: filename, Start: start, End: end}
}
