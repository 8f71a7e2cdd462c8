package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/runner-ci/runner/client"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func sec(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }

func TestBars(t *testing.T) {
	x := axis{from: sec(0), to: sec(10), cells: 10}
	queued := client.Job{State: "queued", Queued: sec(2)}
	ran := client.Job{State: "ended", Queued: sec(1), Started: sec(3), Ended: sec(9), Attempts: nil, Phases: []client.Phase{
		{Name: "PROVISIONING", Status: succeeded, Started: sec(3), Seconds: 1}, {Name: "INSTALL", Status: succeeded, Started: sec(4), Seconds: 1},
		{Name: "BUILD", Status: succeeded, Started: sec(5), Seconds: 3}, {Name: "POST_BUILD", Status: succeeded, Started: sec(8), Seconds: 0.2},
		{Name: "COMPLETED", Status: succeeded, Started: sec(9)},
	}}
	runs := client.Job{State: "leased", Queued: sec(0), Started: sec(0), Phases: []client.Phase{
		{Name: "PROVISIONING", Status: succeeded, Started: sec(0), Seconds: 0.1}, {Name: "BUILD", Status: inProgress, Started: sec(0.1), Seconds: 3},
	}}
	again := ran
	again.Attempts, again.Started = make([]client.Attempt, 2), sec(1)
	for name, c := range map[string]struct {
		job  client.Job
		want string
	}{
		"it waits":                      {queued, "  ········"},
		"it ran":                        {ran, " ··░▒███▓ "},
		"it runs":                       {runs, "██████████"},
		"it was tried twice":            {again, " ▓▓░▒███▓ "},
		"its result was another's":      {client.Job{State: "ended", TakenFrom: "api#1", Started: sec(0), Ended: sec(9)}, "          "},
		"nothing is known of it":        {client.Job{State: "blocked"}, "          "},
		"its sandbox is still made":     {client.Job{State: "leased", Queued: sec(0), Started: sec(5), Phases: []client.Phase{{Name: "PROVISIONING", Status: inProgress, Started: sec(5)}}}, "·····░░░░░"},
		"a clock that is ahead of ours": {client.Job{State: "leased", Queued: sec(0), Started: sec(20), Phases: []client.Phase{{Name: "BUILD", Status: inProgress, Started: sec(30)}}}, "··········"},
	} {
		if got := x.bar(stretchesOf(c.job, sec(10))); got != c.want {
			t.Errorf("%s: the bar is %q, want %q", name, got, c.want)
		}
	}
	for whole, want := range map[float64]string{
		10: "0                        5s", 127: "0          30s         1m          1m30s       2m", 4000: "0          15m        30m        45m         1h00m",
	} {
		x := axis{from: sec(0), to: sec(whole), cells: 50}
		if got := x.scale(); got != want {
			t.Errorf("the scale of %g s is %q, want %q", whole, got, want)
		}
	}
}

// busy is a build with n jobs of which the second runs and the third failed.
func busy(n int) client.Build {
	b := client.Build{
		ID: "api#7", Project: "api", Status: inProgress, Phase: "BUILD", Title: "Cache tokens", Created: sec(0), Seconds: 60,
		Phases: []client.Phase{{Name: "DOWNLOAD_SOURCE", Status: succeeded, Started: sec(0), Seconds: 1}},
		Tests:  &client.BuildTests{Failing: true, Summary: "200 tests", Failures: []client.TestFailure{{ID: "TestX", Message: "got 3"}}},
	}
	for i := range n {
		j := client.Job{ID: fmt.Sprint("s", i), Name: fmt.Sprintf("shard %d/%d", i+1, n), State: "ended", Status: succeeded, Attempt: 1, Queued: sec(1), Started: sec(2), Ended: sec(50), Seconds: 48, LogBytes: 100}
		b.Jobs = append(b.Jobs, j)
	}
	b.Jobs[1].State, b.Jobs[1].Status, b.Jobs[1].Ended, b.Jobs[1].Phase, b.Jobs[1].Command = "leased", inProgress, time.Time{}, "BUILD", "go test ./..."
	b.Jobs[2].Status, b.Jobs[2].Exit = failed, 1
	return b
}

// TestThePaneFitsItsScreen: whatever the size, and whatever a job calls itself and prints.
func TestThePaneFitsItsScreen(t *testing.T) {
	evil := "\x1b[2J\x1b]0;owned\x07\r\n" + strings.Repeat("wide 界", 60)
	for _, n := range []int{3, 40} {
		for _, size := range [][2]int{{20, 3}, {40, 10}, {80, 24}, {130, 50}, {300, 5}} {
			m := newWatcher(t.Context(), nil, Watching{Build: "api#7", Address: "http://x"}, true)
			m.width, m.height = size[0], size[1]
			b := busy(n)
			b.Title, b.Jobs[1].Name, b.Jobs[1].Command, b.Tests.Failures[0].Message = evil, evil, evil, evil
			m.pane = &buildPane{o: m.list.o, build: b, at: noon, logOn: true}
			m.pane.log.add([]byte(strings.Repeat("a line\n", 100) + evil + "\ttab"))
			lines := m.screen(noon.Add(5 * time.Second))
			if len(lines) != m.height {
				t.Errorf("%d jobs at %v: %d lines", n, size, len(lines))
			}
			for _, line := range lines {
				if ansi.StringWidth(line) > m.width || strings.Contains(line, "\n") || strings.Contains(line, "\x1b[2J") || strings.Contains(line, "\x1b]") {
					t.Errorf("%d jobs at %v: the line %q is %d wide", n, size, line, ansi.StringWidth(line))
				}
			}
		}
	}
}

func TestThePaneTellsWhatRunsAndFailed(t *testing.T) {
	m := newWatcher(t.Context(), nil, Watching{Build: "api#7", Address: "http://x"}, false)
	m.width, m.height = 120, 24
	m.pane = &buildPane{o: m.list.o, build: busy(3), at: noon, logOn: true}
	m.pane.log.add([]byte("first\r\n10 %\r50 %\rdone\nlast without an end"))
	got := strings.Join(m.screen(noon.Add(2*time.Second)), "\n")
	for _, want := range []string{
		"BUILD 1m 02s · tests are failing · 200 tests", "  ✓ source", "  ✓ shard 1/3", "> ● shard 2/3", "1m 00s  BUILD  go test ./...", "  ✗ shard 3/3", "48.0 s  FAILED with exit status 1",
		"✗ TestX", "got 3", "── log of shard 2/3 ──\nfirst\ndone\nlast without an end", "↑↓ job · l log · o address · q quit",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the screen lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "\x1b") {
		t.Errorf("without colours there are escape sequences: %q", got)
	}
}

// stage is a daemon of which the test says what it answers.
type stage struct {
	script
	builds []client.Build
	errs   []error // of the next looks
	looks  int
	page   func()
}

func (s *stage) Builds(_ context.Context, o client.ListOptions) (p client.Page[client.Build], err error) {
	if o.Status == "" {
		defer s.page()
	} else if s.looks++; len(s.errs) >= s.looks && s.errs[s.looks-1] != nil {
		return p, s.errs[s.looks-1]
	}
	for _, b := range s.builds {
		if o.Status == "" || b.Status == o.Status {
			p.Items = append(p.Items, b)
		}
	}
	return p, nil
}

func (s *stage) Changes(ctx context.Context, wait func(client.Change) bool) error {
	for wait(client.Change{}) {
		if !pause(ctx, time.Millisecond) {
			return context.Cause(ctx)
		}
	}
	return nil
}

func (s *stage) Build(_ context.Context, id string) (client.Build, error) {
	i := slices.IndexFunc(s.builds, func(b client.Build) bool { return b.ID == id })
	return s.builds[i], nil
}

func TestKeys(t *testing.T) {
	s := &stage{builds: []client.Build{busy(3), {ID: "web#2", Status: failed, Created: noon}}, page: func() {}}
	s.script = script{states: []client.Build{busy(3)}, logs: map[string]string{"s0": "zero\n", "s1": "one\n", "s2": "two\n"}}
	m := newWatcher(t.Context(), s, Watching{Address: "http://x", Page: func(id string) (string, error) { return "http://x/" + id, nil }}, false)
	m.width, m.height = 100, 24
	news := make(chan any, 100)
	m.send = func(msg any) { news <- msg }
	settle := func() { // what was begun has ended, and the program takes its news
		m.feeds.running.Wait()
		for len(news) > 0 {
			m.Update(<-news)
			m.feeds.running.Wait()
		}
	}
	shown := func(want ...string) {
		t.Helper()
		settle()
		got := strings.Join(m.screen(noon), "\n")
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Fatalf("the screen lacks %q:\n%s", w, got)
			}
		}
	}
	shown("asking the daemon")
	builds, err := look(t.Context(), s, "")
	if err != nil {
		t.Fatal(err)
	}
	m.Update(newBuilds{builds: builds})
	shown("runs and waits\n> ● api#7", "2 of 3 jobs · tests are failing", "ended\n  ✗ web#2")
	m.key("down")
	m.key("o")
	shown("> ✗ web#2", "http://x/web#2")
	m.key("up")
	m.key("enter")
	shown("> ● shard 2/3", "one", "← all builds")
	m.key("down")
	shown("> ✗ shard 3/3", "two")
	m.key("up")
	m.key("up")
	m.key("up")
	shown("> ✓ shard 1/3", "zero")
	m.key("l")
	if got := strings.Join(m.screen(noon), "\n"); strings.Contains(got, "log of") {
		t.Errorf("l leaves the log in sight:\n%s", got)
	}
	m.key("left")
	shown("builds of http://x", "web#2")
	if m.key("q") == nil || m.err != nil {
		t.Errorf("q leaves with %v", m.err)
	}
	settle()
}

// TestTheListWaitsForADaemon: one that was there. Any other, and one that refuses, ends the watch.
func TestTheListWaitsForADaemon(t *testing.T) {
	gone, forbidden := &client.UnreachableError{URL: "http://x"}, &client.Error{Status: 403}
	m := newWatcher(t.Context(), nil, Watching{Address: "http://x"}, false)
	m.width, m.height = 100, 10
	if m.seeBuilds(newBuilds{err: gone}) == nil || !errors.Is(m.err, gone) {
		t.Errorf("a daemon that never answered is waited for: %v", m.err)
	}
	m = newWatcher(t.Context(), nil, Watching{Address: "http://x"}, false)
	m.width, m.height = 100, 10
	if m.seeBuilds(newBuilds{}) != nil || m.seeBuilds(newBuilds{err: gone}) != nil || !strings.Contains(strings.Join(m.screen(noon), "\n"), "does not answer") {
		t.Error("a daemon that restarts is not waited for, or nobody says so")
	}
	if m.seeBuilds(newBuilds{}) != nil || strings.Contains(strings.Join(m.screen(noon), "\n"), "does not answer") {
		t.Error("a daemon that answers again is still said to be away")
	}
	if m.seeBuilds(newBuilds{err: forbidden}) == nil || !errors.Is(m.err, forbidden) {
		t.Errorf("a daemon that refuses is asked again: %v", m.err)
	}
}

func TestChangesAreLines(t *testing.T) {
	waits, runs, over := busy(3), busy(3), busy(3)
	waits.Jobs[1].State, waits.Jobs[1].Why, waits.Tests = "queued", "waits for a slot", nil
	runs.Tests = nil
	over.Status, over.Tests, over.Jobs[1] = failed, nil, over.Jobs[0]
	over.Jobs[1].ID, over.Jobs[1].Name = "s1", "shard 2/3"
	s := &stage{page: func() {}, script: script{states: []client.Build{waits, waits, runs, over}}}
	var out bytes.Buffer
	b, err := Watch(t.Context(), s, Watching{Build: "api#7"}, New(&out))
	want := `api#7     Cache tokens · 3 jobs
✓ shard 1/3         SUCCEEDED         in 48.0 s
○ shard 2/3         QUEUED            waits for a slot
✗ shard 3/3         FAILED            FAILED with exit status 1 after 48.0 s
● shard 2/3         BUILD             go test ./...
✓ shard 2/3         SUCCEEDED         in 48.0 s
`
	if err != nil || b.Status != failed || out.String() != want {
		t.Errorf("%s, %v, and\n%swant\n%s", b.Status, err, out.String(), want)
	}
}

func TestAllChangesAreLines(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &stage{builds: []client.Build{busy(3), {ID: "web#2", Status: failed, Seconds: 3, Message: "no\nbuildspec"}}, errs: []error{nil, &client.UnreachableError{}, nil}}
	s.page = func() {
		switch s.looks {
		case 1:
			s.builds[0].Phase = "POST_BUILD"
		case 3:
			cancel()
		}
	}
	var out bytes.Buffer
	_, err := Watch(ctx, s, Watching{}, New(&out))
	want := `✗ web#2       FAILED            in 3.0 s · no buildspec
● api#7       BUILD             Cache tokens · 2 of 3 jobs · tests are failing
`
	if !errors.Is(err, context.Canceled) || out.String() != want {
		t.Errorf("%v, and\n%swant\n%s", err, out.String(), want)
	}
	s.looks, s.errs = 0, []error{&client.UnreachableError{}}
	if _, err := Watch(t.Context(), s, Watching{}, New(&out)); err == nil {
		t.Error("a daemon that never answered is waited for")
	}
}
