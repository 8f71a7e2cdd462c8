package client

import "time"

// Outbox is what a daemon has yet to tell forges and others.
type Outbox struct {
	Waiting int          `json:"waiting"`
	Items   []OutboxItem `json:"items"`   // that have waited longest
	Dropped []OutboxItem `json:"dropped"` // the last ones that were never told
}

// OutboxItem is one thing to tell.
type OutboxItem struct {
	Kind    string    `json:"kind"`
	To      string    `json:"to"`
	Project string    `json:"project,omitempty"`
	Build   string    `json:"build,omitempty"`
	Since   time.Time `json:"since"`
	Tries   int       `json:"tries"` // that failed
	Next    time.Time `json:"next,omitzero"`
	Dropped time.Time `json:"droppedAt,omitzero"`
	Error   string    `json:"error,omitempty"` // the last one; of one that was dropped, why
}
