package terminal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/runner-ci/runner/client"
)

// changes writes each change once, a line each.
type changes struct {
	o    *Output
	told map[string]string // what was said last of a build or job
}

// say writes a line of something unless it is what was said of it last.
func (c *changes) say(of, line string) {
	if c.told == nil {
		c.told = map[string]string{}
	}
	if c.told[of] != line {
		c.told[of] = line
		c.o.Lines(line)
	}
}

// build tells of a build as a whole: without its times, which change all the time.
func (c *changes) build(b client.Build) {
	word, rest := b.Phase, waitsIn(b)
	if b.Status != inProgress {
		word, rest = b.Status, "in "+Seconds(b.Seconds)
		if b.Message != "" && b.Status != succeeded {
			rest += " · " + oneLine(b.Message)
		}
	}
	c.say(b.ID, strings.TrimRight(fmt.Sprintf("%s %-10s  %-16s  %s", c.o.sign(b.Status), b.ID, word, joinNonEmpty(title(b.Title), rest)), " "))
}

// jobs tells of each job of a build.
func (c *changes) jobs(b client.Build) {
	for _, j := range b.Jobs {
		word, rest := j.Phase, oneLine(j.Command)
		switch {
		case !j.Paused.IsZero():
			word, rest = "PAUSED", oneLine(j.Why)
		case j.State == "ended" && j.Attempt == 0:
			word, rest = j.Status, oneLine(j.Message)
		case j.State == "ended":
			word, rest = j.Status, "in "+Seconds(j.Seconds)
			if j.Status != succeeded {
				rest = cause(j) + " after " + Seconds(j.Seconds)
			}
		case j.State != "leased":
			word, rest = strings.ToUpper(j.State), oneLine(j.Why)
		}
		c.say(j.ID, strings.TrimRight(fmt.Sprintf("%s %-16s  %-16s  %s", c.o.sign(signOf(j)), oneLine(j.Name), word, rest), " "))
	}
	if lines := c.o.firstFailing(b); len(lines) > 0 {
		c.o.Lines(lines...)
	}
}

// watchLines is Watch where the screen is none.
func watchLines(ctx context.Context, src WatchSource, w Watching, o *Output) (last client.Build, err error) {
	c := &changes{o: o}
	if w.Build != "" {
		header := false
		err = src.Watch(ctx, w.Build, func(b client.Build) bool {
			if last = b; len(b.Jobs) > 0 && !header {
				header = true
				o.Lines(Header(b))
			}
			c.jobs(b)
			return true
		})
		return last, err
	}
	return last, eachState(ctx, src, w.Project, func(builds []client.Build) error {
		for i := len(builds) - 1; i >= 0; i-- { // the oldest first, as they happened
			c.build(builds[i])
		}
		return nil
	})
}

// eachState calls see with all builds after each change until ctx ends, see fails or the daemon refuses. One that does not
// answer is waited for, if it was there.
func eachState(ctx context.Context, src WatchSource, project string, see func([]client.Build) error) (failed error) {
	came := false
	eachLook(ctx, src, project, func(builds []client.Build, err error) bool {
		switch {
		case err == nil:
			came, failed = true, see(builds)
		case refused(err), !came:
			failed = err
		}
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return context.Cause(ctx)
}

// WatchJSON writes each build as a line of JSON, each time that it has changed, until ctx ends.
func WatchJSON(ctx context.Context, src WatchSource, project string, w io.Writer) error {
	told := map[string]string{}
	return eachState(ctx, src, project, func(builds []client.Build) error {
		for i := len(builds) - 1; i >= 0; i-- {
			b := builds[i]
			still := b
			still.Seconds, still.Jobs = 0, nil // what changes by itself
			what := fmt.Sprint(still.Status, still.Phase, still.Message, waitsIn(b))
			if told[b.ID] == what {
				continue
			}
			told[b.ID] = what
			if err := json.NewEncoder(w).Encode(b); err != nil {
				return err
			}
		}
		return nil
	})
}
