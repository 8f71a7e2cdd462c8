package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

// watched puts together what a watcher of a log is told.
type watched struct {
	lines    []string
	open     bool
	outlines int
}

func (w *watched) take(l client.LogLines) error {
	if w.open {
		w.lines = w.lines[:len(w.lines)-1]
	}
	if int(l.First) != len(w.lines)+1 {
		return fmt.Errorf("line %d came after %d", l.First, len(w.lines))
	}
	w.lines, w.open = append(w.lines, l.Lines...), l.Open
	return nil
}

// watch watches the log of api#1 to its end.
func (d *daemon) watch(ctx context.Context) (*watched, error) {
	w := &watched{}
	err := d.client().WatchLog(ctx, "api#1", client.LogPlace{}, 0, client.LogEvents{
		Lines:   w.take,
		Outline: func(client.LogOutline) error { w.outlines++; return nil },
	})
	return w, err
}

// end ends the job and the build.
func (d *daemon) end() {
	d.seal("log-1")
	d.state.put(over(running(), scheduler.Succeeded), job("linux", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded))
}

// TestWatchersOfALiveLogGetEachLineOnce has some watch from before the log is there, and some come while it grows; one of them
// takes its time.
func TestWatchersOfALiveLogGetEachLineOnce(t *testing.T) {
	t.Parallel()
	d := newDaemon(t, project("api", apiURL))
	d.state.put(running(), job("linux", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
	var text strings.Builder
	var all sync.WaitGroup
	got := make([]*watched, 8)
	begin := func(i int) {
		all.Go(func() {
			var err error
			if got[i], err = d.watch(t.Context()); err != nil {
				t.Errorf("watcher %d: %v", i, err)
			}
		})
	}
	for i := range 4 {
		begin(i)
	}
	frame := uint64(0)
	for i := range 60 {
		var some strings.Builder
		for n := range 1 + i*i%37 {
			fmt.Fprintf(&some, "%d.%d %s", i, n, strings.Repeat("z", (i*n*31)%9000))
			if i%5 > 0 || n > 0 {
				some.WriteByte('\n')
			}
		}
		frame++
		d.appendLog("log-1", frame, some.String())
		text.WriteString(some.String())
		if i%15 == 10 {
			begin(4 + i/15)
		}
		if i%20 == 19 {
			runtime.Gosched()
			d.state.put(running(), job("linux", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
		}
	}
	d.appendLog("log-1", frame+1, "no end")
	text.WriteString("no end")
	d.end()
	all.Wait()
	want := strings.Split(text.String(), "\n")
	for i, w := range got {
		if w == nil || strings.Join(w.lines, "\n") != strings.Join(want, "\n") {
			t.Errorf("watcher %d has %d lines, want %d equal ones", i, len(w.lines), len(want))
		}
	}
	d.handler.logFeeds.mu.Lock()
	defer d.handler.logFeeds.mu.Unlock()
	if n := len(d.handler.logFeeds.live); n != 0 {
		t.Errorf("%d feeds are left", n)
	}
}

// TestALogIsResumedByTheIDOfTheLastEvent reads the stream as a browser does, breaks it off and goes on.
func TestALogIsResumedByTheIDOfTheLastEvent(t *testing.T) {
	d := logged(t, "one\ntwo\nthr")
	stream := func(header http.Header, query string, until string) (text string) {
		resp, end := d.stream("/api/v1/builds/api/1/log/events"+query, header)
		defer end()
		if resp.StatusCode != http.StatusOK || resp.Header.Get(client.LogAttemptHeader) != "1" {
			t.Fatalf("answered %s %v", resp.Status, resp.Header)
		}
		for buf := make([]byte, 4096); !strings.Contains(text, until); {
			n, err := resp.Body.Read(buf)
			if text += string(buf[:n]); err != nil {
				t.Fatalf("%v after %q", err, text)
			}
		}
		return text
	}
	if got := stream(http.Header{}, "", `"open":true`); !strings.HasPrefix(got, "id: 8\nevent: lines\ndata: ") || !strings.Contains(got, `"first":3,"lines":["thr"],"open":true`) {
		t.Errorf("it begins with %q", got)
	}
	d.appendLog("log-1", 2, "ee\nfour\n")
	if got := stream(http.Header{"Last-Event-Id": {"8"}}, "?offset=0", "four"); !strings.Contains(got, `"first":3,"lines":["three","four"]`) {
		t.Errorf("it goes on with %q", got)
	}
	if got := stream(http.Header{}, "?offset=10", "four"); !strings.Contains(got, `"first":3,"lines":["three","four"]`) {
		t.Errorf("within a line it begins with %q", got)
	}
	for last, want := range map[string]int{"x": http.StatusBadRequest, "-1": http.StatusBadRequest, "999": http.StatusRequestedRangeNotSatisfiable} {
		if resp, body := d.do("GET", "/api/v1/builds/api/1/log/events", http.Header{"Last-Event-Id": {last}}, nil); resp.StatusCode != want {
			t.Errorf("after %q: %s %s", last, resp.Status, body)
		}
	}
}

// TestAWatchedLogOutlivesTheDaemon kills the daemon while somebody watches.
func TestAWatchedLogOutlivesTheDaemon(t *testing.T) {
	d := logged(t, "one\ntw")
	seen := make(chan string, 100)
	done := make(chan error, 1)
	w := &watched{}
	go func() {
		done <- d.client().WatchLog(t.Context(), "api#1", client.LogPlace{}, 0, client.LogEvents{Lines: func(l client.LogLines) error {
			err := w.take(l)
			seen <- strings.Join(w.lines, "|")
			return err
		}})
	}()
	for got := ""; got != "one|tw"; got = <-seen {
	}
	d.kill()
	d.start()
	d.appendLog("log-1", 2, "o\nthree\n")
	for got := ""; got != "one|two|three"; got = <-seen {
	}
	d.end()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := d.watch(t.Context()); err != nil { // of a log that is over
		t.Fatal(err)
	}
	enough := errors.New("enough")
	if err := d.client().WatchLog(t.Context(), "api#1", client.LogPlace{}, 0, client.LogEvents{Lines: func(client.LogLines) error { return enough }}); !errors.Is(err, enough) {
		t.Errorf("a watcher that has enough got %v", err)
	}
}

// TestAChangeOfTheOutlineIsTold has a command begin while somebody watches.
func TestAChangeOfTheOutlineIsTold(t *testing.T) {
	text, at := outlined()
	d := newDaemon(t, project("api", apiURL))
	show := func(commands int) {
		j, now := job("linux", scheduler.JobLeased, scheduler.InProgress), at
		now.Commands = at.Commands[:commands]
		j.Attempts = []scheduler.Attempt{now}
		d.state.put(running(), j)
	}
	show(2)
	d.appendLog("log-1", 1, text)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.client().WatchLog(ctx, "api#1", client.LogPlace{}, 0, client.LogEvents{
		Lines: func(client.LogLines) error { show(3); return nil },
		Outline: func(o client.LogOutline) error {
			if len(o.Sections) == 5 {
				cancel()
			}
			return nil
		},
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestAWatcherThatStallsHoldsNobodyUp has one that reads nothing at all, of a log that is larger than what is remembered for the slow.
func TestAWatcherThatStallsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	d := logged(t, "begin\n")
	stalled, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	fmt.Fprintf(stalled, "GET /api/v1/builds/api/1/log/events HTTP/1.1\r\nHost: daemon\r\nAuthorization: Bearer %s\r\n\r\n", testToken)
	begun := make(chan struct{})
	var once sync.Once
	w := &watched{}
	done := make(chan error, 1)
	go func() {
		done <- d.client().WatchLog(t.Context(), "api#1", client.LogPlace{}, 0, client.LogEvents{Lines: func(l client.LogLines) error {
			once.Do(func() { close(begun) })
			return w.take(l)
		}})
	}()
	<-begun
	line := strings.Repeat("x", 999) + "\n"
	const parts, each = 10, 1000
	for i := range parts {
		d.appendLog("log-1", uint64(2+i), strings.Repeat(line, each))
	}
	d.end()
	if err := <-done; err != nil || len(w.lines) != 1+parts*each {
		t.Errorf("the other watcher has %d lines: %v", len(w.lines), err)
	}
}
