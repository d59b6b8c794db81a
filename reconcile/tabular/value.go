package tabular

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Number reads a number: digits with a point and an exponent, as JSON and every
// spreadsheet have them, and inf and nan in any case. What is beyond a float64 is
// infinite. Spaces around it do not count.
func (v Value) Number() (float64, bool) {
	text := strings.TrimSpace(v.Text)
	number, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(number, 0) {
		return 0, false
	}
	// Only programming languages write 0x1F and 1_000.
	digits := strings.TrimLeft(text, "+-")
	hexadecimal := len(digits) > 1 && digits[0] == '0' && digits[1]|0x20 == 'x'
	return number, !hexadecimal && strings.IndexByte(digits, '_') < 0
}

// Whole tells whether the value is a whole number, in any notation: 5, 5.0, 5e0.
// Of digits alone there may be any number.
func (v Value) Whole() bool {
	text := strings.TrimSpace(v.Text)
	digits := strings.TrimLeft(text, "+-")
	if len(text)-len(digits) <= 1 && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return true
	}
	number, is := v.Number()
	return is && !math.IsInf(number, 0) && number == math.Trunc(number)
}

// Bool reads true and false, in small letters, capitals or with a capital, and 1
// and 0.
func (v Value) Bool() (value, is bool) {
	switch strings.TrimSpace(v.Text) {
	case "true", "True", "TRUE", "1":
		return true, true
	case "false", "False", "FALSE", "0":
		return false, true
	}
	return false, false
}

// Time reads a time as RFC 3339 has it, with its offset.
func (v Value) Time() (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(v.Text))
	return at, err == nil
}
