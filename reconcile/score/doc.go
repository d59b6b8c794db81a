// Package score tells how well a model is looked after, in six measures of 0 to 100:
// repeatability, availability, maintainability, quality, scalability and consistency.
//
// A measure is points for what is declared, and for what is observed while a daemon
// runs. Every point says why it was given or not, and what would raise it; so a card
// is a list of things to do, not a mark. It says nothing about whether a model is
// right for its purpose: that is what gates, checks and people are for.
//
// It is pure: a card follows from the Config, the observation and the time.
package score
