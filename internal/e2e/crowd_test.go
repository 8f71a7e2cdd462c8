package e2e

import (
	"bytes"
	be "encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/tests"
	"github.com/runner-ci/runner/tests/history"
)

const (
	// crowdProjects is how many projects the builds of a crowd are of, in turn.
	crowdProjects = 20
	// crowdRare is how many of its builds are FAULTs: the oldest, the worst place for a list that looks for them.
	crowdRare = 10
	// crowdTests is how many tests have a history.
	crowdTests = 500
	// crowdReports is how many builds of the first project have a report with these tests.
	crowdReports = 10
)

// crowd fills a data directory as n builds of one job leave it, with their triggers, logs, artifacts and tests. It writes
// rows as the daemon has them, in few transactions, because n builds by themselves would take a day; runner check tells
// whether they are as they should be.
func crowd(t testing.TB, data string, n int) {
	t.Helper()
	if err := os.MkdirAll(data, 0o711); err != nil {
		t.Fatal(err)
	}
	crowdState(t, filepath.Join(data, "state.db"), n)
	crowdBlobs(t, filepath.Join(data, "artifacts.db"), n)
	crowdHistory(t, filepath.Join(data, "tests.db"), n)
}

// crowdBuild tells which build the i-th is.
func crowdBuild(i int) (project string, number int) {
	return fmt.Sprintf("service-%02d", i%crowdProjects), i/crowdProjects + 1
}

// crowdLog is the id of the log of the i-th build.
func crowdLog(i int) string {
	project, number := crowdBuild(i)
	return fmt.Sprintf("%s#%d/build@1", project, number)
}

func crowdKey(word string, number uint64) []byte {
	return be.BigEndian.AppendUint64(append([]byte(word), 0), number)
}

func seqKey(n uint64) []byte { return be.BigEndian.AppendUint64(nil, n) }

// fill opens a database that a store of ours has made, and lets rows be put into it, some thousand a transaction.
func fill(t testing.TB, path string, n int, one func(put func(bucket string, key []byte, row any), i int)) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	for i := 0; i < n && err == nil; i += 5000 {
		err = db.Update(func(tx *bbolt.Tx) (err error) {
			put := func(bucket string, key []byte, row any) {
				raw, ok := row.([]byte)
				if !ok {
					raw, _ = json.Marshal(row)
				}
				if err == nil {
					err = tx.Bucket([]byte(bucket)).Put(key, raw)
				}
			}
			for k := i; k < min(i+5000, n); k++ {
				one(put, k)
			}
			return err
		})
	}
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error { return sequences(tx, uint64(n)) })
	}
	if err == nil {
		err = db.Sync()
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sequences counts on where the rows end.
func sequences(tx *bbolt.Tx, n uint64) error {
	for _, bucket := range []string{"triggers", "order", "tokens"} {
		if b := tx.Bucket([]byte(bucket)); b != nil {
			if err := b.SetSequence(n); err != nil {
				return err
			}
		}
	}
	return nil
}

func crowdState(t testing.TB, path string, n int) {
	s, err := scheduler.Open(path, config.Default(), slog.New(slog.DiscardHandler))
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-20 * 24 * time.Hour)
	fill(t, path, n, func(put func(string, []byte, any), i int) {
		seq := uint64(i + 1)
		tr, b, job, plan := crowdRows(i, began.Add(time.Duration(i)*10*time.Second))
		key := crowdKey(b.Project, uint64(b.Number))
		put("triggers", seqKey(seq), tr)
		put("deliveries", []byte(tr.Delivery), seqKey(seq))
		put("numbers", []byte(b.Project), seqKey(uint64(b.Number)))
		put("order", seqKey(seq), key)
		put("builds", key, b)
		put("plans", key, plan)
		put("ended", crowdKey(string(b.Status), b.Seq), key)
		put("endedof", crowdKey(b.Project+"\x00"+string(b.Status), uint64(b.Number)), []byte{})
		put("refs", crowdKey(b.Project+"\x00"+b.Ref, uint64(b.Number)), []byte{})
		put("outcomes", crowdKey(string(tr.Outcome), seq), []byte{})
		put("jobs", be.BigEndian.AppendUint32(append(bytes.Clone(key), 0), 0), job)
	})
}

// crowdRows are the rows of the i-th build.
func crowdRows(i int, at time.Time) (scheduler.Trigger, scheduler.Build, scheduler.Job, buildspec.Plan) {
	project, number := crowdBuild(i)
	commit := fmt.Sprintf("%040x", i)
	status, trigger := scheduler.Succeeded, fmt.Sprintf("t%010d", i+1)
	switch {
	case i < crowdRare:
		status = scheduler.Fault
	case i%10 == 0:
		status = scheduler.Failed
	}
	var phases []scheduler.Phase
	for _, name := range strings.Fields("SUBMITTED QUEUED PROVISIONING DOWNLOAD_SOURCE INSTALL PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS FINALIZING COMPLETED") {
		phases = append(phases, scheduler.Phase{Name: name, Status: scheduler.Succeeded, Started: at, Took: time.Second})
	}
	id := fmt.Sprintf("%s#%d", project, number)
	tr := scheduler.Trigger{
		ID: trigger, Kind: scheduler.KindPush, Projects: []string{project}, Delivery: fmt.Sprintf("github/%d/%s", i%7, commit), Received: at,
		Ref: "refs/heads/main", HeadRef: "refs/heads/main", Commit: commit, Before: commit, Event: "PUSH", Title: "Serve the index faster",
		Actor: "ada", ActorID: "42", Outcome: scheduler.OutcomeBuilt, Builds: []string{id},
	}
	if i < crowdRare {
		tr.Outcome, tr.Reason = scheduler.OutcomeWaiting, "of a stranger"
	}
	b := scheduler.Build{
		Project: project, Number: number, Seq: uint64(i + 1), Trigger: trigger, Commit: commit, Ref: tr.Ref, Title: tr.Title, Author: tr.Actor,
		Status: status, Phase: "COMPLETED", Trusted: true, Images: map[string]runner.Image{image: {}}, Phases: phases[:4],
		Created: at, Started: at, EndedAt: at.Add(time.Minute),
	}
	job := scheduler.Job{
		Build: id, ID: "build", Name: "build", Shards: 1, Status: status, State: scheduler.JobEnded, Queued: at, Started: at, EndedAt: b.EndedAt,
		Attempts: []scheduler.Attempt{{
			Number: 1, Token: uint64(i), Engine: "local", Sandbox: fmt.Sprintf("%012x", i), Sent: true, Status: status, Phase: "COMPLETED",
			Phases: phases, Log: crowdLog(i), Started: at, EndedAt: b.EndedAt, Frame: 100,
		}},
	}
	plan := buildspec.Plan{Jobs: []buildspec.Job{{ID: "build", Name: "build", Buildspec: "buildspec.yml", Version: "0.2", Image: image, Shell: "/bin/sh"}}}
	return tr, b, job, plan
}

// crowdBlobs stores a log of each build, and an artifact of every tenth, through the store: it commits many at once.
func crowdBlobs(t testing.TB, path string, n int) {
	store, err := artifacts.Open(path, artifacts.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	text := []byte(strings.Repeat("the quick brown fox jumps over the lazy dog\n", 20))
	var group errgroup.Group
	group.SetLimit(1000)
	for i := range n {
		group.Go(func() error {
			if err := store.AppendLog(t.Context(), crowdLog(i), 1, text); err != nil {
				return err
			}
			return store.SealLog(t.Context(), crowdLog(i))
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// crowdHistory keeps results of some tests of the last builds of one project through the store, and writes the rows of
// the other builds.
func crowdHistory(t testing.TB, path string, n int) {
	s, err := history.Open(path)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	summary := func(i int) history.Summary {
		project, number := crowdBuild(i)
		at := time.Now().Add(time.Duration(i-n) * 10 * time.Second)
		return history.Summary{
			Build:  history.Build{Project: project, Number: number, Commit: fmt.Sprintf("%040x", i), Ref: "refs/heads/main", Trusted: true, At: at},
			Groups: []history.Group{{Name: "unit", Format: "JUNITXML", Files: 1, Totals: tests.Totals{Total: crowdTests, Succeeded: crowdTests}}},
			Totals: tests.Totals{Total: crowdTests, Succeeded: crowdTests}, Shards: 1, Duration: time.Second, Serial: time.Second,
			Line: "500 tests passed", Final: true,
		}
	}
	reported := func(i int) bool { return i%crowdProjects == 0 && i >= n-crowdReports*crowdProjects }
	fill(t, path, n, func(put func(string, []byte, any), i int) {
		if s := summary(i); !reported(i) {
			put("builds", crowdKey(s.Build.Project, uint64(s.Build.Number)), s)
		}
	})
	if s, err = history.Open(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range n {
		if reported(i) {
			crowdReport(t, s, summary(i).Build)
		}
	}
}

// crowdReport takes in a report of a build.
func crowdReport(t testing.TB, s *history.Store, b history.Build) {
	in, err := s.Begin(b, history.Attempt{Run: tests.Run{Attempt: 1}, Took: time.Second})
	if err != nil || in == nil {
		t.Fatalf("taking in a report of %s: %v", b.ID(), err)
	}
	group := in.Group("unit", "JUNITXML", 1, false)
	for k := range crowdTests {
		c := tests.Case{Name: fmt.Sprintf("test %03d", k), Suite: "suite", Status: tests.Succeeded, Duration: time.Duration(k) * time.Millisecond}
		if k == b.Number%crowdTests {
			c.Status = tests.Failed
		}
		c.ID = tests.Identify(&c)
		if err := in.Case(group, "report.xml", &c); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.Commit(false); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(b.Project, b.Number); err != nil {
		t.Fatal(err)
	}
}
