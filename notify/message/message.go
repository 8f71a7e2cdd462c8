// Package message is what a notification says: a build's end as data, and the templates that make text of it. It is pure, so that the
// configuration can try templates before they are needed.
package message

import (
	"fmt"
	"strings"
	"time"
)

// Message is how a build ended, as templates and receivers see it. Everything in it may come from a stranger's commit: receivers
// get it as data, and Slack's markup, which is text, with its own characters escaped.
type Message struct {
	ID     string `json:"id"`    // of the message: the same when it is sent again
	Event  string `json:"event"` // failure, recovery, success, stopped
	Name   string `json:"notification"`
	Daemon string `json:"daemon"` // its address

	Project string    `json:"project"`
	Build   string    `json:"build"` // api#142
	Number  int       `json:"number"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Text    string    `json:"message,omitempty"` // the daemon's sentence about it
	URL     string    `json:"url"`
	Created time.Time `json:"created"`
	Ended   time.Time `json:"ended"`
	Seconds float64   `json:"seconds"`

	Trigger     string `json:"trigger"` // push, tag, …
	Ref         string `json:"ref,omitempty"`
	Branch      string `json:"branch,omitempty"` // of refs/heads/
	Tag         string `json:"tag,omitempty"`    // of refs/tags/
	PullRequest int    `json:"pullRequest,omitempty"`
	Commit      string `json:"commit,omitempty"`
	Title       string `json:"title,omitempty"`
	Author      string `json:"author,omitempty"`

	Was      string `json:"was,omitempty"`      // status of the build before it on the same ref
	WasBuild string `json:"wasBuild,omitempty"` // and which that was

	Summary string `json:"summary"` // one line
	Failed  []Job  `json:"failed,omitempty"`
}

// Job is one that did not succeed.
type Job struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	Command string `json:"command,omitempty"`
	Exit    int    `json:"exit,omitempty"`
}

// Short is the beginning of the commit's id.
func (m Message) Short() string { return m.Commit[:min(8, len(m.Commit))] }

// Where names branch, tag or pull request.
func (m Message) Where() string {
	switch {
	case m.PullRequest > 0:
		return fmt.Sprintf("pull request %d", m.PullRequest)
	case m.Branch != "":
		return m.Branch
	case m.Tag != "":
		return "tag " + m.Tag
	}
	return strings.TrimPrefix(m.Ref, "refs/")
}

// Took is how long it took from its making to its end.
func (m Message) Took() string {
	return (time.Duration(m.Seconds * float64(time.Second))).Round(time.Second).String()
}

// Verdict is the build's end in a word or two.
func (m Message) Verdict() string {
	switch m.Event {
	case "recovery":
		return "works again"
	case "success":
		return "succeeded"
	case "stopped":
		return "was stopped"
	}
	switch m.Status {
	case "FAULT":
		return "could not be finished"
	case "TIMED_OUT":
		return "took too long"
	}
	return "failed"
}
