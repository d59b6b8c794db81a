// Package notify brings messages about what happens to the people whom they concern.
//
//	journal entry, refusal, drift ─▶ Scene ─▶ Message ─▶ Dispatcher ─┬─▶ Outbox of a ─▶ worker ─▶ Slack
//	                                                                 ├─▶ Outbox of b ─▶ worker ─▶ PagerDuty
//	                                                                 └─▶ ...
//
// [Scene] words a message. [Wants] tells which notifiers it is for. An [Outbox] holds
// what one notifier has still to send, and decides without a clock or a network: what
// is sent next and when, what is sent already, what is dropped. [Templates] are the
// words of the users. The [Dispatcher] is the part that acts: it has one worker for
// each notifier, so that a receiver that is dead delays no other, and keeps every
// outbox in the store, so that what was sent to it survives a crash.
//
// # What is promised
//
// A message is sent at least once to each notifier that wants it, and again only after
// a crash at the wrong moment. It is given up when its receiver refuses it, when it is
// 24 hours old, or when so many wait that the least important have to go; each of these
// is counted, and [Dispatcher.Status] tells. Messages of one thread arrive in their
// order.
package notify
