package agent

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// goTestEnds reads, on their way, the events of a test binary that runs without go test: how each test ended. It adds
// the line by which go test says how the package did.
type goTestEnds struct {
	to    *goEvents
	path  string
	tests map[string]goEnd
	fails map[string]bool
	lines goLines
	over  bool
}

func (g *goTestEnds) Write(text []byte) (int, error) {
	return g.lines.write(text, g.pass)
}

// pass reads a line and passes it on.
func (g *goTestEnds) pass(line []byte) error {
	var e struct {
		Action, Test string
		Elapsed      float64
	}
	if line[0] == '{' && json.Unmarshal(line, &e) == nil {
		took := time.Duration(e.Elapsed * float64(time.Second))
		switch {
		case e.Test == "" && (e.Action == "pass" || e.Action == "fail"):
			g.over = true
			if err := g.say(e.Action, took); err != nil {
				return err
			}
		case e.Test != "" && !strings.Contains(e.Test, "/"):
			g.note(e.Test, e.Action, took)
		}
	}
	_, err := g.to.Write(line)
	return err
}

// note notes what became of a test. One that runs has failed until it is known to have passed; with -count the worst of
// its runs counts.
func (g *goTestEnds) note(test, action string, took time.Duration) {
	end := g.tests[test]
	switch action {
	case "run":
		end.outcome = outcomeFailed
	case "pass", "skip":
		if end.outcome = outcomePassed; g.fails[test] {
			end.outcome = outcomeFailed
		}
	case "fail":
		end.outcome, end.told, g.fails[test] = outcomeFailed, true, true
	default:
		return
	}
	end.took += took
	g.tests[test] = end
}

// say adds the line that go test prints of the package.
func (g *goTestEnds) say(action string, took time.Duration) error {
	word := "ok  "
	if action == "fail" {
		word = "FAIL"
	}
	line, err := json.Marshal(goEvent{Action: "output", Package: g.path, Output: fmt.Sprintf("%s\t%s\t%.3fs\n", word, g.path, took.Seconds())})
	if err != nil {
		return err
	}
	_, err = g.to.Write(append(line, '\n'))
	return err
}

// finish is called when the binary has ended. A failure that no test explains, of TestMain say, is that of all.
func (g *goTestEnds) finish(status int) {
	g.lines.rest(g.pass)
	if status != 0 && !g.over {
		_ = g.say("fail", 0)
		line, _ := json.Marshal(goEvent{Action: "fail", Package: g.path})
		_, _ = g.to.Write(append(line, '\n'))
	}
	if status == 0 {
		return
	}
	for _, end := range g.tests {
		if end.outcome != outcomePassed {
			return
		}
	}
	for test, end := range g.tests {
		end.outcome = outcomeFailed
		g.tests[test] = end
	}
}
