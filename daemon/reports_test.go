package daemon

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/tests"
	"github.com/runner-ci/runner/tests/history"
)

// dueList is a queue of reports that a test fills.
type dueList struct {
	due  []*scheduler.DueReports
	read chan struct{}
}

func (q *dueList) NextReports() (*scheduler.DueReports, error) {
	if len(q.due) == 0 {
		return nil, nil
	}
	return q.due[0], nil
}

func (q *dueList) ReportsRead(*scheduler.DueReports) error {
	if q.due = q.due[1:]; len(q.due) == 0 {
		close(q.read)
	}
	return nil
}

func (q *dueList) ReportsKick() <-chan struct{} { return nil }

// reading is a reportReader on real stores.
func reading(t *testing.T) *reportReader {
	t.Helper()
	dir := t.TempDir()
	blobs, err := artifacts.Open(filepath.Join(dir, "artifacts.db"), artifacts.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	kept, err := history.Open(filepath.Join(dir, "tests.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	return &reportReader{
		artifacts: blobs, history: kept, log: slog.New(slog.DiscardHandler),
		root: func(*scheduler.Attempt) string { return "/src" },
		explain: explainer{builds: &fewBuilds{}, history: kept, read: func(context.Context, string, string, string, int64) ([]byte, error) {
			return []byte("one\ntwo\nthree\x1b[2J\nfour\nfive\nsix\n"), nil
		}},
	}
}

// left stores one report file of a job, which write writes, and returns it as due.
func left(t *testing.T, r *reportReader, job int, format string, size int64, write func(w io.Writer)) *scheduler.DueReports {
	t.Helper()
	set := fmt.Sprintf("job%d/.reports", job)
	pr, pw := io.Pipe()
	go func() {
		w := tar.NewWriter(pw)
		_ = w.WriteHeader(&tar.Header{Name: "0/out.xml", Mode: 0o644, Size: size})
		write(w)
		pw.CloseWithError(w.Close())
	}()
	if _, err := r.artifacts.PutTar(t.Context(), set, artifacts.SetMeta{}, pr, artifacts.Limits{}); err != nil {
		t.Fatal(err)
	}
	return &scheduler.DueReports{
		Build: scheduler.Build{Project: "api", Number: 1}, Index: job,
		Attempt: &scheduler.Attempt{Number: 1, Reports: &runner.Reports{Set: set, Groups: []wire.ReportGroup{{Name: "unit", Format: format, Files: 1}}}},
	}
}

func text(s string) (int64, func(io.Writer)) {
	return int64(len(s)), func(w io.Writer) { _, _ = io.WriteString(w, s) }
}

// readAll reads what is due as the daemon does.
func readAll(t *testing.T, r *reportReader, due ...*scheduler.DueReports) history.Summary {
	t.Helper()
	q := &dueList{due: due, read: make(chan struct{})}
	r.queue = q
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.run(ctx, nil); close(done) }()
	select {
	case <-q.read:
	case <-time.After(5 * time.Minute):
		t.Fatal("the reports were not read")
	}
	cancel()
	<-done
	sum, err := r.history.Summary("api", 1)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestWhatIsWrongWithAReportIsTold(t *testing.T) {
	r := reading(t)
	size, write := text(`<testsuite name="s"><testcase name="a"/><testcase name="b"><failure message="no"/></testcase><testcase na`)
	cut := left(t, r, 0, "JUNITXML", size, write)
	size, write = text("this is no report")
	other := left(t, r, 1, "TESTNGXML", size, write)
	gone := &scheduler.DueReports{
		Build: scheduler.Build{Project: "api", Number: 1}, Index: 2,
		Attempt: &scheduler.Attempt{Number: 1, Reports: &runner.Reports{Set: "expired"}},
	}
	end := &scheduler.DueReports{Build: scheduler.Build{Project: "api", Number: 1}}
	sum := readAll(t, r, cut, other, gone, cut, end)
	if sum.Totals != (tests.Totals{Total: 2, Succeeded: 1, Failed: 1}) || len(sum.Problems) != 3 || !sum.Final {
		t.Errorf("%+v, want the two cases that were whole and three problems", sum)
	}
	for _, g := range sum.Groups {
		if g.Status() != "INCOMPLETE" {
			t.Errorf("group %s %s is %s, want INCOMPLETE", g.Name, g.Format, g.Status())
		}
	}
}

// TestAHugeReportIsReadInLittleMemory: the file is larger than the memory it may take. RUNNER_SLOW has it with more
// cases than a build keeps.
func TestAHugeReportIsReadInLittleMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is measured by /proc")
	}
	cases, frames := 60_000, 40
	if raceDetector {
		cases = 20_000 // memory is another there, and is not held against anything
	}
	if os.Getenv("RUNNER_SLOW") != "" {
		cases, frames = history.MaxCases+1000, 2
	}
	r := reading(t)
	line := `<testcase classname="pkg.suite" name="case %08d" time="0.001"><failure message="no">` + strings.Repeat("at some.place(file.go:12) ", frames) + "</failure></testcase>\n"
	const head, tail = `<testsuite name="s">`, `</testsuite>`
	size := int64(len(head) + len(tail) + cases*(len(line)-len("%08d")+8))
	due := left(t, r, 0, "JUNITXML", size, func(w io.Writer) {
		_, _ = io.WriteString(w, head)
		for i := range cases {
			fmt.Fprintf(w, line, (i*7919)%cases)
		}
		_, _ = io.WriteString(w, tail)
	})
	runtime.GC()
	before, most := rssAnon(t), atomic.Int64{}
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				most.Store(max(most.Load(), rssAnon(t)))
			}
		}
	}()
	began := time.Now()
	sum := readAll(t, r, due)
	close(stop)
	if want := min(cases, history.MaxCases); sum.Totals.Failed != want || (cases > want) != (len(sum.Problems) > 0) {
		t.Errorf("%+v, want %d failed tests, and to be told of more", sum.Totals, want)
	}
	grown := most.Load() - before
	t.Logf("%d MB with %d cases in %s, memory grew by %d MiB", size/1e6, cases, time.Since(began).Round(time.Millisecond), grown>>20)
	if grown > 64<<20 && !raceDetector {
		t.Errorf("memory grew by %d MiB, want less than 64", grown>>20)
	}
}

func rssAnon(t *testing.T) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Error(err)
	}
	_, after, _ := strings.Cut(string(text), "RssAnon:")
	var kib int64
	_, _ = fmt.Sscan(after, &kib)
	return kib << 10
}

func TestTheNameOfAReportSaysThatItsTestsWereTriedAgain(t *testing.T) {
	for name, want := range map[string]int{
		"run-3-retry-8.xml": 8, "out/run-3-retry-12-2938.json": 12, "retry-2/TEST-a.xml": 2,
		"run-3.xml": 0, "TEST-noretry-5.xml": 0, "retry-x.xml": 0, "retry-12345678901.xml": 0, "retry-5x.xml": 0,
	} {
		if got := roundOf(name); got != want {
			t.Errorf("%s is of round %d, want %d", name, got, want)
		}
	}
}

func TestTimeOfTestsIsWithoutWaiting(t *testing.T) {
	a := &scheduler.Attempt{Waited: 4 * time.Second}
	for _, name := range []string{wire.PhaseInstall, wire.PhasePreBuild, wire.PhaseBuild, wire.PhasePostBuild} {
		a.Phases = append(a.Phases, scheduler.Phase{Name: name, Took: 3 * time.Second})
	}
	if got := testTime(a); got != 5*time.Second {
		t.Errorf("the tests took %s, want 5s of 9s besides installing", got)
	}
	if a.Waited = time.Minute; testTime(a) != 0 {
		t.Errorf("the tests took %s", testTime(a))
	}
}
