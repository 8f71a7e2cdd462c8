// Package notify tells people and programs how builds ended: by a signed webhook, by an incoming webhook of Slack's form, or by
// email. It renders and sends one message; that none is lost, and none is sent for a build that did not end, is the business of the
// outbox that calls it.
package notify
