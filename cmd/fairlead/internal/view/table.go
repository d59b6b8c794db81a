package view

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// table prints rows in columns, the first of them as a head. The color of a cell
// is asked for by row, from 0 behind the head, and column.
func (p *printer) table(rows [][]string, color func(row, column int) string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			padded := cell
			if i < len(row)-1 {
				padded = fmt.Sprintf("%-*s", widths[i], cell)
			}
			code := dim
			if n > 0 {
				code = color(n-1, i)
			}
			b.WriteString("  " + p.v.paint(code, padded))
		}
		p.line("%s", strings.TrimRight(b.String(), " "))
	}
}
