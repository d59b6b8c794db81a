// Package view turns values into what people and programs read. Every value has
// one JSON form, its own, and one text form, rendered here from the same value:
// a fact that is not in the value cannot be printed.
//
// Colour is used on terminals only and never carries a fact of its own.
package view
