package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runner-ci/runner/tests"
)

// ErrCursor means that a cursor is none of this list, or that the report has grown since the page that gave it.
var ErrCursor = errors.New("the report has changed since the page that gave this cursor, or none gave it")

// Summary is what a build's tests came to so far. ErrNotFound means that no job has told of any.
func (s *Store) Summary(project string, n int) (Summary, error) {
	r, err := s.row(project, n)
	if err != nil {
		return Summary{}, err
	}
	return r.Summary, nil
}

// pageBytes bounds a page of outcomes, whose messages may be long.
const pageBytes = 8 << 20

// Which chooses tests of a build. The zero value is all of them.
type Which struct {
	Bad    bool         // only those that failed or are flaky
	Status tests.Status // only with this one
	Text   string       // only with this in the id, in whatever case
	Group  int          // only of this report group: its place in Summary.Groups, from 1
}

func (w Which) has(o *Outcome) bool {
	return (w.Status == "" || o.Status == w.Status) && (w.Text == "" || within(o.ID, w.Text)) && (w.Group == 0 || slices.Contains(o.Groups, w.Group-1))
}

// within tells whether a test's id has a text, in whatever case.
func within(id, text string) bool {
	return strings.Contains(strings.ToLower(id), strings.ToLower(text))
}

// Outcomes returns a page of a build's tests by id, and the cursor of the next. A page of few among many may be short, or empty.
func (s *Store) Outcomes(project string, n int, which Which, cursor string, limit int) (page []Outcome, next string, err error) {
	next, err = s.page(project, n, cursor, func(r *row) uint64 {
		if which.Bad {
			return r.Bad
		}
		return r.Merged
	}, func(line []byte) (full bool, err error) {
		var o Outcome
		if err := json.Unmarshal(line, &o); err != nil {
			return true, fmt.Errorf("reading a stored test: %w", err)
		}
		if which.has(&o) {
			page = append(page, o)
		}
		return len(page) == limit, nil
	})
	return page, next, err
}

// Coverage returns a page of a build's covered source files by path, and the cursor of the next.
func (s *Store) Coverage(project string, n int, cursor string, limit int) (page []tests.FileCoverage, next string, err error) {
	next, err = s.page(project, n, cursor, func(r *row) uint64 { return r.Coverage }, func(line []byte) (full bool, err error) {
		var f tests.FileCoverage
		if err := json.Unmarshal(line, &f); err != nil {
			return true, fmt.Errorf("reading stored coverage: %w", err)
		}
		page = append(page, f)
		return len(page) == limit, nil
	})
	return page, next, err
}

// page visits the lines of a blob from a cursor on, until visit has had enough, and returns where it stopped.
func (s *Store) page(project string, n int, cursor string, choose func(*row) uint64, visit func([]byte) (bool, error)) (next string, err error) {
	s.reading.RLock()
	defer s.reading.RUnlock()
	r, err := s.row(project, n)
	if err != nil {
		return "", err
	}
	blob, from := choose(r), place{}
	if cursor != "" {
		var of uint64
		if _, err := fmt.Sscanf(cursor, "%d.%d.%d", &of, &from.chunk, &from.line); err != nil || of != blob || from.chunk < 0 || from.line < 0 {
			return "", ErrCursor
		}
	}
	b, err := s.readBlob(blob, from)
	if err != nil {
		return "", err
	}
	for bytes := 0; ; {
		line, err := b.next()
		if err != nil || line == nil {
			return "", err
		}
		bytes += len(line)
		full, err := visit(line)
		if err != nil {
			return "", err
		}
		if full || bytes > pageBytes {
			at := b.at()
			if more, err := b.next(); more == nil {
				return "", err
			}
			return fmt.Sprintf("%d.%d.%d", blob, at.chunk, at.line), nil
		}
	}
}

// each visits all outcomes of a build.
func (s *Store) each(r *row, visit func(*Outcome) error) error {
	b, err := s.readBlob(r.Merged, place{})
	if err != nil {
		return err
	}
	for {
		line, err := b.next()
		if err != nil || line == nil {
			return err
		}
		var o Outcome
		if err := json.Unmarshal(line, &o); err != nil {
			return fmt.Errorf("reading a stored test: %w", err)
		}
		if err := visit(&o); err != nil {
			return err
		}
	}
}
