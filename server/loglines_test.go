package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/scheduler"
)

// append appends text to the log of the first attempt, and returns what it has then.
func (d *daemon) appendLog(log string, frame uint64, text string) {
	d.t.Helper()
	if err := d.store.AppendLog(context.Background(), log, frame, []byte(text)); err != nil {
		d.t.Fatal(err)
	}
}

// logged has a build whose job has this log, and runs.
func logged(t *testing.T, text string) *daemon {
	t.Helper()
	d := newDaemon(t, project("api", apiURL))
	d.state.put(running(), job("linux", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
	d.appendLog("log-1", 1, text)
	return d
}

func (d *daemon) lines(lines client.LineRange) client.LogLines {
	d.t.Helper()
	out, err := d.client().LogLines(d.t.Context(), "api#1", client.LogPlace{}, lines)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

func TestLinesOfALogAreReadByTheirNumbers(t *testing.T) {
	d := logged(t, "one\ntwo\n\x1b[31mthree\x1b[0m\n"+strings.Repeat("wide ", 5000)+"\nfi\xffve\nopen")
	for name, test := range map[string]struct {
		ask         client.LineRange
		first       int64
		lines       string // joined by |, only the beginning of each
		offset, nxt int64
		open        bool
	}{
		"all":          {client.LineRange{}, 1, "one|two|\x1b[31mthree\x1b[0m|wide |fi\uFFFDve|open", 0, 25030, true},
		"some":         {client.LineRange{From: 2, Count: 2}, 2, "two|\x1b[31mthree\x1b[0m", 4, 23, false},
		"the last":     {client.LineRange{From: -2}, 5, "fi\uFFFDve|open", 25024, 25030, true},
		"too many":     {client.LineRange{From: -2000, Count: 1}, 1, "one", 0, 4, false},
		"beyond":       {client.LineRange{From: 99}, 7, "", 25034, 25034, false},
		"the open one": {client.LineRange{From: 6}, 6, "open", 25030, 25030, true},
	} {
		got := d.lines(test.ask)
		short := make([]string, len(got.Lines))
		for i, l := range got.Lines {
			short[i] = l[:min(len(l), 14)]
			if strings.HasPrefix(l, "wide") {
				short[i] = "wide "
			}
		}
		if name == "beyond" {
			test.nxt, test.offset = got.Offset, got.Offset // the end of the log, open line or not
		}
		if got.First != test.first || strings.Join(short, "|") != test.lines || got.Offset != test.offset || got.Next != test.nxt || got.Open != test.open {
			t.Errorf("%s: %d %q from byte %d to %d, open %v", name, got.First, short, got.Offset, got.Next, got.Open)
		}
		if got.Total != 6 || got.Bytes != 25034 || got.Complete || got.Attempt != 1 || got.Job != "linux" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := d.lines(client.LineRange{From: 4, Count: 1}); len(got.Lines[0]) != maxLine || len(got.Cut) != 1 || got.Cut[0] != (client.CutLine{Line: 4, Bytes: 25000}) {
		t.Errorf("a long line has %d bytes, cut is %v", len(got.Lines[0]), got.Cut)
	}
}

func TestAProgressBarShowsWhatItEndsWith(t *testing.T) {
	d := logged(t, strings.Repeat("\r[##  ] 12 %", 5000)+"\r[####] 100 %\nnext\n")
	got := d.lines(client.LineRange{Count: 1})
	if !strings.HasSuffix(got.Lines[0], "100 %") || len(got.Cut) != 1 {
		t.Errorf("it is %q, cut %v", got.Lines[0][max(0, len(got.Lines[0])-40):], got.Cut)
	}
}

func TestTheTimesOfLinesAreTold(t *testing.T) {
	d := logged(t, "one\ntwo\nthree\n")
	got := d.lines(client.LineRange{From: 2, Times: true})
	if len(got.Times) != 1 || got.Times[0].Line != 2 || time.Since(got.Times[0].At) > time.Minute {
		t.Errorf("times are %v", got.Times)
	}
}

func TestALogThatIsNotThereYetHasNoLines(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	d.state.put(running(), job("linux", scheduler.JobQueued, scheduler.InProgress))
	if got := d.lines(client.LineRange{From: -10}); got.Total != 0 || got.First != 1 || got.Lines == nil || got.Complete {
		t.Errorf("%+v", got)
	}
	out, err := d.client().LogOutline(t.Context(), "api#1", client.LogPlace{})
	if err != nil || len(out.Sections) != 0 {
		t.Errorf("its outline is %+v, %v", out, err)
	}
	_, err = d.client().SearchLog(t.Context(), "api#1", client.LogPlace{}, client.LogSearch{Text: "x"})
	if err != nil {
		t.Error(err)
	}
	_, err = d.client().LogLines(t.Context(), "api#1", client.LogPlace{Job: "nope"}, client.LineRange{})
	if p := asProblem(t, err); p.Status != http.StatusNotFound {
		t.Errorf("of a job that is not there: %v", err)
	}
}

func TestLogsAreSearched(t *testing.T) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "line %d of many\n", i+1)
	}
	text.WriteString("an \x1b[1;31mERR\x1b[0mOR in red\n[ 10 %]\r[100 %] error: done\nthe end (open)")
	d := logged(t, text.String())
	for _, test := range []struct {
		ask   client.LogSearch
		lines string
		next  int64
	}{
		{client.LogSearch{Text: "LINE 99"}, "99 990 991 992 993 994 995 996 997 998 999", 0},
		{client.LogSearch{Text: "LINE 99", Case: true}, "", 0},
		{client.LogSearch{Text: "line 99", Limit: 3}, "99 990 991", 992},
		{client.LogSearch{Text: "line 99", From: 992, Limit: 2}, "992 993", 994},
		{client.LogSearch{Text: "error"}, "1001 1002", 0},
		{client.LogSearch{Text: "10 %", Case: true}, "", 0},
		{client.LogSearch{Text: "ERROR", Case: true}, "1001", 0},
		{client.LogSearch{Text: `^line (1|\d{4}) `, Regexp: true}, "1 1000", 0},
		{client.LogSearch{Text: "(open)"}, "1003", 0},
		{client.LogSearch{Text: "x", From: 5000}, "", 0},
	} {
		got, err := d.client().SearchLog(t.Context(), "api#1", client.LogPlace{}, test.ask)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, m := range got.Matches {
			lines = append(lines, fmt.Sprint(m.Line))
		}
		if strings.Join(lines, " ") != test.lines || got.Next != test.next || got.Total != 1003 {
			t.Errorf("%+v: %v, next %d of %d", test.ask, lines, got.Next, got.Total)
		}
	}
	_, err := d.client().SearchLog(t.Context(), "api#1", client.LogPlace{}, client.LogSearch{Text: "(", Regexp: true})
	if p := asProblem(t, err); p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Detail, "missing closing )") {
		t.Errorf("a wrong expression: %v", err)
	}
}

func TestAroundAMatchThereIsText(t *testing.T) {
	line := strings.Repeat("é", 500) + "needle" + strings.Repeat("ü", 500)
	if got := around([]byte(line), strings.Index(line, "needle")); !strings.Contains(got, "énéedleü"[0:2]) || !strings.Contains(got, "needle") || len(got) > maxMatch {
		t.Errorf("shown is %q", got)
	}
}

// staged2 is the log of a job with two phases and three commands, and what is stored of them.
func outlined() (text string, at scheduler.Attempt) {
	add := func(lines string) (offset, end int64) {
		offset = int64(len(text))
		text += lines
		return offset, int64(len(text))
	}
	began := time.Now().Add(-time.Minute)
	add("Waiting for a sandbox\n")
	phase := func(name string, status scheduler.Status) {
		offset, _ := add("Entering phase " + name + "\n")
		at.Phases = append(at.Phases, scheduler.Phase{Name: name, Status: status, Started: began, Took: time.Second, Offset: offset})
	}
	command := func(c runner.Command, lines string) {
		c.Offset, c.End = add(lines)
		c.Began = began
		if !c.Ended {
			c.End = 0
		}
		at.Commands = append(at.Commands, c)
	}
	at = scheduler.Attempt{Number: 1, Log: "log-1", Frame: 9, Status: scheduler.InProgress}
	phase("INSTALL", scheduler.Succeeded)
	command(runner.Command{Phase: "INSTALL", Text: "npm ci", Ended: true, Took: time.Second}, "Running command npm ci\na\nb\nno end")
	add("\nPhase complete\n")
	phase("BUILD", scheduler.InProgress)
	command(runner.Command{Phase: "BUILD", Text: "make", Ended: true, Exit: 2}, "Running command make\n")
	command(runner.Command{Phase: "BUILD", Index: 1, Finally: true, Text: "clean"}, "Running command clean\nx\n")
	return text, at
}

func TestTheOutlineOfALog(t *testing.T) {
	text, at := outlined()
	d := newDaemon(t, project("api", apiURL))
	j := job("linux", scheduler.JobLeased, scheduler.InProgress)
	j.Attempts = []scheduler.Attempt{at}
	d.state.put(running(), j)
	d.appendLog("log-1", 1, text)
	out, err := d.client().LogOutline(t.Context(), "api#1", client.LogPlace{Job: "linux"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range out.Sections {
		got = append(got, fmt.Sprintf("%s %s%s %s %d+%d", s.Kind, s.Phase, s.Text, s.Status, s.First, s.Lines))
	}
	want := []string{
		"phase INSTALL SUCCEEDED 2+6", "command INSTALLnpm ci SUCCEEDED 3+4",
		"phase BUILD IN_PROGRESS 8+4", "command BUILDmake FAILED 9+1", "command BUILDclean IN_PROGRESS 10+2",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || out.Total != 11 {
		t.Errorf("it is\n%s\nof %d lines, want\n%s", strings.Join(got, "\n"), out.Total, strings.Join(want, "\n"))
	}
}
