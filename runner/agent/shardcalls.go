//go:build linux

package agent

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// shardCalls serves the calls of codebuild-tests-run that take their tests from the daemon. Who connects can ask for
// tests of this shard and answer them, no more, so every process of the sandbox may.
type shardCalls struct {
	log      *joblog
	spool    *spool
	requests *requests
	listener *os.File
	ctx      context.Context // ends with the job
	end      context.CancelFunc
	places   chan struct{} // one for each connection
	reports  string        // where the tool leaves the events of go test
	early    *early        // of the job's reports

	mu    sync.Mutex
	at    wire.TestCall // of the next call
	lists int           // that were ever written
	busy  []*shardCall  // those whose batches run
}

// maxShardCalls bounds the calls that run at one time.
const maxShardCalls = 32

// aliveEvery lies between two signs of life.
var aliveEvery = wire.AliveEvery * time.Second

// openShardCalls listens at path.
func openShardCalls(path string, c *shardCalls) (*shardCalls, error) {
	var err error
	if c.listener, err = listenUnix(path); err != nil {
		return nil, err
	}
	c.ctx, c.end = context.WithCancel(context.Background())
	c.places = make(chan struct{}, maxShardCalls)
	go c.listen()
	return c, nil
}

// serveShards listens for codebuild-tests-run, and returns where.
func (p *phases) serveShards(d dirs) string {
	path := filepath.Join(d.temp, testsSocket)
	var err error
	calls := &shardCalls{log: p.log, spool: p.spool, requests: p.requests, early: p.early, reports: filepath.Join(d.temp, goReportsDir)}
	p.early.found, p.early.kept = calls.goReports, func() map[string][]keptReport { return calls.kept(p.job.Dir) }
	if p.shards, err = openShardCalls(path, calls); err != nil {
		p.log.say("codebuild-tests-run cannot take tests from the daemon: %v", err)
		return ""
	}
	if err := os.Mkdir(p.shards.reports, 0o700); err == nil {
		_ = os.Chmod(p.shards.reports, 0o777|fs.ModeSticky) // for phases with run-as
	}
	return path
}

// goReports returns the group of what go test has left.
func (c *shardCalls) goReports() []*reportGroup {
	if c == nil {
		return nil
	}
	entries, err := os.ReadDir(c.reports)
	if err != nil || len(entries) == 0 {
		return nil
	}
	group := &reportGroup{ReportGroup: wire.ReportGroup{Name: goReportsFormat + "-AutoDiscovered", Format: goReportsFormat, Discovered: true}}
	for _, entry := range entries[:min(len(entries), wire.MaxReportFiles+1)] {
		if entry.Type().IsRegular() {
			group.files = append(group.files, packFile{path: filepath.Join(c.reports, entry.Name()), name: entry.Name()})
		}
	}
	if len(group.files) == 0 {
		return nil
	}
	return []*reportGroup{group}
}

// enter tells which command runs, from whose beginning calls are counted.
func (c *shardCalls) enter(phase string, command int) {
	if c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.at = wire.TestCall{Phase: phase, Command: command}
	}
}

func (c *shardCalls) close() {
	if c == nil {
		return
	}
	c.end()
	c.listener.Close()
}

func (c *shardCalls) listen() {
	for {
		conn, err := accept(c.listener)
		if c.ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return
		}
		if err != nil { // no descriptor left, say
			time.Sleep(100 * time.Millisecond)
			continue
		}
		select {
		case c.places <- struct{}{}:
			go c.serve(conn)
		default:
			_ = writeJSON(conn, shardAnswer{Error: fmt.Sprintf("%d calls of codebuild-tests-run run at this time already", maxShardCalls)})
			conn.Close()
		}
	}
}

// shardCall is one connection.
type shardCall struct {
	*shardCalls
	conn    *os.File
	in      *bufio.Reader
	call    wire.TestCall
	takes   uint64
	list    int // its number, once it is
	counted bool
	from    int    // of early reports: those that were told before the batch
	beside  bool   // another call ran a batch at the same time
	rest    func() // ends the signs of life
}

// serve answers one connection until the tool ends.
func (c *shardCalls) serve(conn *os.File) {
	ctx, cancel := context.WithCancel(c.ctx)
	call := &shardCall{shardCalls: c, conn: conn, in: bufio.NewReader(conn), rest: func() {}}
	defer func() {
		cancel()
		call.rest()
		call.ends()
		conn.Close()
		<-c.places
	}()
	_ = conn.SetReadDeadline(time.Now().Add(joinLimit))
	asks := make(chan shardAsk)
	lists := make(chan []byte, 1)
	go call.read(ctx, cancel, asks, lists)
	for {
		select {
		case ask := <-asks:
			answer, ok := call.answer(ctx, ask, lists)
			_ = conn.SetWriteDeadline(time.Now().Add(askLimit))
			if ctx.Err() != nil || writeJSON(conn, answer) != nil || !ok {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// joinLimit is what a tool has to say what it found.
const joinLimit = 30 * time.Second

// read passes on what the tool asks. When it is gone, what was asked for it is asked no longer.
func (c *shardCall) read(ctx context.Context, cancel context.CancelFunc, asks chan<- shardAsk, lists chan<- []byte) {
	defer cancel()
	for split, joined := false, false; ; {
		var ask shardAsk
		if readJSON(c.in, &ask) != nil || joined == (ask.Join != nil) || split && ask.Join != nil && ask.Join.Split {
			return
		}
		if ask.Join != nil {
			split, joined = ask.Join.Split, !ask.Join.Split
			if ask.Join.Bytes < 1 || ask.Join.Bytes > wire.MaxTestList {
				return
			}
			list := make([]byte, ask.Join.Bytes)
			if _, err := io.ReadFull(c.in, list); err != nil {
				return
			}
			_ = c.conn.SetReadDeadline(time.Time{})
			lists <- list
		}
		select {
		case asks <- ask:
		case <-ctx.Done():
			return
		}
	}
}

// answer asks the daemon what the tool asks. Without ok the call is over.
func (c *shardCall) answer(ctx context.Context, ask shardAsk, lists <-chan []byte) (answer shardAnswer, ok bool) {
	var err error
	switch {
	case ask.Join != nil:
		answer.TestsAnswer, err = c.join(ctx, *ask.Join, <-lists)
	case ask.Take:
		c.takes++
		if c.takes == 1 {
			c.early.look() // at what an earlier command left
		}
		answer.TestsAnswer, err = c.ask(ctx, "which tests come next", wire.TestsRequest{Take: &wire.TestsTake{Request: c.takes}})
		if err == nil && len(answer.Items) > 0 {
			c.keepAlive(answer.Token)
			c.begins()
		}
	case ask.Done != nil:
		ask.Done.From, ask.Done.Early = c.told()
		answer.TestsAnswer, err = c.ask(ctx, "the next step after its tests", wire.TestsRequest{Done: boundedDone(*ask.Done)})
		c.rest()
		c.ends()
	default:
		err = errors.New("the agent was asked nothing that it knows")
	}
	if err != nil {
		answer.Error = err.Error()
	}
	return answer, err == nil
}

// boundedDone has no more results than are taken: the failed ones first.
func boundedDone(d wire.TestsDone) *wire.TestsDone {
	passed := func(r wire.TestResult) int {
		if r.Outcome == outcomePassed {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(d.Results, func(a, b wire.TestResult) int { return cmp.Compare(passed(a), passed(b)) })
	d.Results = d.Results[:min(len(d.Results), wire.MaxTestResults)]
	return &d
}

// join brings the call in, with its list in the spool's directory until the daemon has answered.
func (c *shardCall) join(ctx context.Context, join shardJoin, list []byte) (wire.TestsAnswer, error) {
	names, err := checkList(list)
	if err != nil {
		return wire.TestsAnswer{}, err
	}
	number := c.number()
	if number >= wire.MaxTestLists {
		return wire.TestsAnswer{}, fmt.Errorf("codebuild-tests-run was called %d times in this job, which is more than is served", number)
	}
	name := wire.TestListFile(number)
	if err := writeList(c.spool.dir, name, list); err != nil {
		return wire.TestsAnswer{}, fmt.Errorf("handing the list of tests to the daemon: %w; see that the sandbox's disk is not full", err)
	}
	defer func() { _ = c.spool.dir.Remove(name) }()
	return c.ask(ctx, "how to divide the tests", wire.TestsRequest{Join: &wire.TestsJoin{Strategy: join.Strategy, List: number, Names: names, Split: join.Split}})
}

// number is that of the call's list. The call is counted when the first is brought.
func (c *shardCall) number() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.counted {
		c.counted, c.list, c.call = true, c.lists, c.at
		c.lists++
		c.at.Call++
	}
	return c.list
}

// checkList counts the names of a list, which must be sorted, each once.
func checkList(list []byte) (int, error) {
	var last []byte
	n := 0
	for line := range bytes.Lines(list) {
		name, whole := bytes.CutSuffix(line, []byte{'\n'})
		if !whole || len(name) == 0 || n > 0 && bytes.Compare(last, name) >= 0 {
			return 0, fmt.Errorf("line %d of the list of tests is out of order, empty or not ended", n+1)
		}
		last = name
		n++
	}
	if n > wire.MaxTests {
		return 0, fmt.Errorf("there are %d tests, and no more than %d can be divided", n, wire.MaxTests)
	}
	return n, nil
}

func writeList(dir *os.Root, name string, list []byte) error {
	if err := dir.RemoveAll(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(list)
	return errors.Join(err, f.Close())
}

// ask asks the daemon for as long as the tool waits. Daemons come and go meanwhile. One that could decide nothing is
// asked again a few times.
func (c *shardCall) ask(ctx context.Context, what string, req wire.TestsRequest) (wire.TestsAnswer, error) {
	req.Call = c.call
	for pause := retryPause; ; pause *= 2 {
		answer, err := c.requests.insist(ctx, wire.Request{Tests: &req}, func() {
			c.log.say("codebuild-tests-run has waited for %s for the daemon to say %s, and waits on", requestPatience, what)
		})
		switch {
		case err != nil:
			return wire.TestsAnswer{}, err
		case answer.Error == "" && answer.Tests == nil:
			return wire.TestsAnswer{}, errors.New("this daemon does not divide tests: it is older than the agent; restart it with the same release")
		case answer.Error == "":
			return *answer.Tests, nil
		case pause > retryPause<<maxAgain-1:
			return wire.TestsAnswer{}, errors.New(answer.Error)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return wire.TestsAnswer{}, context.Cause(ctx)
		}
	}
}

// maxAgain is how often a daemon is asked again that could decide nothing, after pauses that begin with retryPause and
// double.
const maxAgain = 4

var retryPause = time.Second

// keepAlive tells the daemon that a batch is still worked on, until rest is called.
func (c *shardCall) keepAlive(token uint64) {
	c.rest()
	done := make(chan struct{})
	c.rest = sync.OnceFunc(func() { close(done) })
	alive := line(wire.Alive{Call: c.call, Token: token})
	go func() {
		tick := time.NewTicker(aliveEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.requests.transport.pass(alive)
			case <-done:
				return
			}
		}
	}()
}
