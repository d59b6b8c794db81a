package schema

import (
	"maps"
	"slices"

	"github.com/fairlead/fairlead/spec/expr"
)

// Function is one function that expressions can call.
type Function struct {
	Call string `json:"call"` // as written, with the names of its parameters
	Doc  string `json:"doc"`
}

// Functions returns every function, in the groups of the reference page. All of
// them are pure; file reads nothing but the commit. Package spec/lang implements
// them, and a test there holds that the two lists are one.
func Functions() []Function {
	return slices.Concat(
		fileFunctions(),
		textFunctions(),
		collectionFunctions(),
		numberFunctions(),
		conversionFunctions(),
		attemptFunctions(),
	)
}

// LateFunctions returns the names of those that can be called with facts, sorted.
func LateFunctions() []string { return slices.Sorted(maps.Keys(expr.Functions())) }

// fileFunctions read files and the formats that they come in.
func fileFunctions() []Function {
	return []Function{
		{"file(path)", "The content of a text file of the config repo. The path counts from its root."},
		{"jsondecode(text)", "The value that a JSON text stands for."},
		{"jsonencode(value)", "A value as JSON text."},
		{"csvdecode(text)", "A list of objects, one per line, named by the first line."},
	}
}

// textFunctions work on text.
func textFunctions() []Function {
	return []Function{
		{"chomp(text)", "Text without the line breaks at its end."},
		{"endswith(text, suffix)", "Whether text ends so."},
		{"format(format, values...)", "Text made like Go's fmt, for example `format(\"%03d\", 7)`."},
		{"formatlist(format, lists...)", "The same for each element of lists."},
		{"indent(spaces, text)", "Text with all lines but the first moved to the right."},
		{"join(separator, list)", "The elements of a list as one text."},
		{"lower(text)", "Text in lower case."},
		{"regex(pattern, text)", "The first match (RE2): text, or its groups."},
		{"regexall(pattern, text)", "A list of all matches."},
		{"regex_replace(text, pattern, replacement)", "Text with every match replaced."},
		{"replace(text, part, replacement)", "Text with every part replaced."},
		{"split(separator, text)", "A list of the pieces of text."},
		{"startswith(text, prefix)", "Whether text starts so."},
		{"strcontains(text, part)", "Whether text holds the part."},
		{"strlen(text)", "The number of characters."},
		{"strrev(text)", "Text backwards."},
		{"substr(text, offset, length)", "A piece of text."},
		{"title(text)", "Text with each word capitalised."},
		{"trim(text, characters)", "Text without these characters at both ends."},
		{"trimprefix(text, prefix)", "Text without the prefix."},
		{"trimspace(text)", "Text without spaces at both ends."},
		{"trimsuffix(text, suffix)", "Text without the suffix."},
		{"upper(text)", "Text in upper case."},
	}
}

// collectionFunctions work on lists, sets and maps.
func collectionFunctions() []Function {
	return []Function{
		{"chunklist(list, size)", "A list cut into lists."},
		{"coalesce(values...)", "The first value that is neither null nor empty text."},
		{"coalescelist(lists...)", "The first list that is not empty."},
		{"compact(list)", "A list of strings without the empty ones."},
		{"concat(lists...)", "Lists one after the other."},
		{"contains(list, value)", "Whether the list holds the value."},
		{"distinct(list)", "A list without repetitions."},
		{"element(list, index)", "An element; the index wraps around."},
		{"flatten(list)", "A list of lists as one list."},
		{"index(list, value)", "The position of a value."},
		{"keys(map)", "The keys, sorted."},
		{"length(value)", "The number of elements, or of characters."},
		{"lookup(map, key, default)", "The value of a key, or the default, which may be left out."},
		{"merge(maps...)", "Maps as one; the last one wins."},
		{"range(start, limit, step)", "A list of numbers, 1,024 at the most."},
		{"reverse(list)", "A list backwards."},
		{"setintersection(sets...)", "What all sets hold."},
		{"setproduct(sets...)", "All combinations."},
		{"setsubtract(set, other)", "What only the first set holds."},
		{"setunion(sets...)", "What any set holds."},
		{"slice(list, from, to)", "A part of a list."},
		{"sort(list)", "A list of strings, sorted."},
		{"values(map)", "The values, in the order of their keys."},
		{"zipmap(keys, values)", "A map of two lists."},
	}
}

// numberFunctions work on numbers.
func numberFunctions() []Function {
	return []Function{
		{"abs(number)", "The number without its sign."},
		{"ceil(number)", "The next whole number up."},
		{"floor(number)", "The next whole number down."},
		{"log(number, base)", "The logarithm."},
		{"max(numbers...)", "The largest."},
		{"min(numbers...)", "The smallest."},
		{"parseint(text, base)", "The whole number that a text stands for."},
		{"pow(number, exponent)", "The power."},
		{"signum(number)", "-1, 0 or 1."},
	}
}

// conversionFunctions turn a value into one of another type.
func conversionFunctions() []Function {
	return []Function{
		{"tobool(value)", "The value as a bool."},
		{"tolist(value)", "The value as a list."},
		{"tomap(value)", "The value as a map."},
		{"tonumber(value)", "The value as a number."},
		{"toset(value)", "The value as a set: sorted, without repetitions."},
		{"tostring(value)", "The value as text."},
	}
}

// attemptFunctions deal with expressions that may have no value.
func attemptFunctions() []Function {
	return []Function{
		{"can(expression)", "Whether an expression has a value."},
		{"try(expressions...)", "The first expression that has a value."},
	}
}
