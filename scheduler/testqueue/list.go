package testqueue

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// shownNames is how many names of a difference an error shows.
const shownNames = 5

// Key names a queue: one call of codebuild-tests-run in one command of one build. All shards that make this call share
// the queue.
type Key struct {
	Build   string `json:"build"`
	Phase   string `json:"phase"`
	Command int    `json:"command"` // its index in the phase, from 0
	Call    int    `json:"call"`    // within the command, from 0
}

// String is the key as "api#142/BUILD/0/0", fit for a row's key.
func (k Key) String() string {
	return fmt.Sprintf("%s/%s/%d/%d", k.Build, k.Phase, k.Command, k.Call)
}

// Normalise makes lists that mean the same the same: names without "./" in front and blanks or line ends behind,
// sorted, each once, none empty.
func Normalise(names []string) []string {
	out := make([]string, 0, len(names))
	for _, name := range names {
		name = strings.TrimRight(name, " \t\r\n")
		for strings.HasPrefix(name, "./") {
			name = strings.TrimLeft(name[2:], "/")
		}
		if name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Hash is the SHA-256, in hex, of a list that Normalise made.
func Hash(list []string) string {
	sum := sha256.New()
	for _, name := range list {
		fmt.Fprintf(sum, "%d:%s,", len(name), name)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// ListError says that a worker found other tests than the worker before it, so that a test would be lost or run twice.
// The worker must fail.
type ListError struct {
	Worker         string
	First          string // the worker whose list the queue has
	Want, Got      int    // how many names the queue has, and the worker
	Missing, Added []string
	MissingCount   int // names that only the queue has; Missing shows the first few
	AddedCount     int // names that only the worker has; Added shows the first few
}

func (e *ListError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s found %s, but %s, which came first, found %d", e.Worker, plural(e.Got, "test", "tests"), e.First, e.Want)
	b.WriteString(difference("missing here", e.Missing, e.MissingCount))
	b.WriteString(difference("only here", e.Added, e.AddedCount))
	b.WriteString("; the files search must print the same list in every shard, so it may not depend on what the shard has built or on its number")
	return b.String()
}

func difference(what string, names []string, count int) string {
	if count == 0 {
		return ""
	}
	text := fmt.Sprintf("; %s: %s", what, strings.Join(names, ", "))
	if more := count - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// compare says how a normalised list differs from the queue's; nil when it does not.
func (q *Queue) compare(worker string, list []string) error {
	if Hash(list) == q.hash {
		return nil
	}
	e := &ListError{Worker: worker, First: q.first, Want: len(q.items), Got: len(list)}
	for _, it := range q.items {
		if _, found := slices.BinarySearch(list, it.name); !found {
			e.Missing, e.MissingCount = appendFew(e.Missing, it.name), e.MissingCount+1
		}
	}
	for _, name := range list {
		if _, found := q.byName[name]; !found {
			e.Added, e.AddedCount = appendFew(e.Added, name), e.AddedCount+1
		}
	}
	return e
}

func appendFew(names []string, name string) []string {
	if len(names) < shownNames {
		names = append(names, name)
	}
	return names
}
