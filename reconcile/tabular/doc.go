// Package tabular reads tables row by row: csv, tsv and jsonl, plain or packed
// with gzip. What a row needs is all the memory that is used, so a file may be
// larger than the machine.
//
// The rules, which are the same for every format:
//
//   - The text is UTF-8; a byte order mark is passed over, lines end with LF or
//     CRLF, empty lines do not count. Fields of csv and tsv may be quoted as in
//     RFC 4180, also across lines.
//   - Each row has as many fields as there are columns. In jsonl a row is one
//     object, a key that a row does not have is missing there, and a key that is
//     new adds a column.
//   - A value is missing if it is one of [DefaultMissing] without the spaces around
//     it, quoted or not; in jsonl also null.
//   - Whatever breaks the rules is an error with the number of its line, as is a
//     row longer than a bound. Nothing is guessed and nothing is passed over.
package tabular
