package client

import (
	"context"
	"time"
)

// Status is what a daemon does right now.
type Status struct {
	Version  string    `json:"version"`
	Instance string    `json:"instance"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"` // since then
	Draining bool      `json:"draining"`
	Slots    int       `json:"slots"`
	Warm     int       `json:"warm"` // sandboxes that wait for a job
	NoWarm   string    `json:"noWarm,omitempty"`

	Running  []Slot  `json:"running"` // who holds a slot, and since when
	Queued   int     `json:"queued"`
	Planning int     `json:"planning"` // builds that are fetched and planned, or wait for it
	Next     *Slot   `json:"next,omitempty"`
	Why      string  `json:"why,omitempty"` // why the next one waits
	Oldest   float64 `json:"oldestSeconds"` // how long the job waits that waits longest

	Outbox   Outbox         `json:"outbox"`
	Engines  []EngineStatus `json:"engines"`
	Tasks    []Task         `json:"tasks"`
	Stores   []Store        `json:"stores"`
	Free     int64          `json:"freeBytes"` // what the disk of the data directory has left
	Warnings []string       `json:"warnings,omitempty"`
}

// Slot is a job that holds a slot, or waits for one.
type Slot struct {
	Build string    `json:"build"`
	Job   string    `json:"job"`
	Since time.Time `json:"since"`
}

// EngineStatus is an engine, and whether it answers.
type EngineStatus struct {
	ID    string `json:"id"`
	Up    bool   `json:"up"`
	Error string `json:"error,omitempty"`
}

// Store is what a store has on the disk.
type Store struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// Task is a long-lived goroutine of the daemon, or all of those that come and go for one purpose.
type Task struct {
	Name  string    `json:"name"`
	About string    `json:"about"`
	Many  bool      `json:"many,omitempty"` // it stands for goroutines that come and go
	Count int       `json:"count"`          // that live
	Doing string    `json:"doing,omitempty"`
	Since time.Time `json:"since"`
	Beats uint64    `json:"beats"` // how often it began to do something
	Error string    `json:"error,omitempty"`
	At    time.Time `json:"errorAt,omitzero"`
}

// Status tells what the daemon does right now.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.get(ctx, "/api/v1/status", nil, &s)
	return s, err
}
