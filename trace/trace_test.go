package trace

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/scheduler"
)

// receiver is a collector that keeps what it gets.
type receiver struct {
	collector.UnimplementedTraceServiceServer

	mu     sync.Mutex
	spans  []*wire.Span
	auth   []string
	refuse int // so many requests
	got    chan struct{}
}

func (r *receiver) take(req *collector.ExportTraceServiceRequest, auth string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse > 0 {
		r.refuse--
		return false
	}
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			r.spans = append(r.spans, ss.Spans...)
		}
	}
	r.auth = append(r.auth, auth)
	r.got <- struct{}{}
	return true
}

// Export is of the gRPC service.
func (r *receiver) Export(ctx context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	r.take(req, strings.Join(md.Get("authorization"), ","))
	return &collector.ExportTraceServiceResponse{}, nil
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := gzip.NewReader(q.Body)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(body)
	}
	var req collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(text, &req)
	}
	if err != nil || q.URL.Path != "/v1/traces" {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	if !r.take(&req, q.Header.Get("Authorization")) {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// queue is a Queue in memory.
type queue struct {
	mu   sync.Mutex
	due  []*scheduler.DueTrace
	done chan int
}

func (q *queue) NextTrace() (*scheduler.DueTrace, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.due) == 0 {
		return nil, nil
	}
	return q.due[0], nil
}

func (q *queue) TraceDone(*scheduler.DueTrace) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.due = q.due[1:]
	q.done <- len(q.due)
	return nil
}

func (q *queue) TracesKick() <-chan struct{} { return nil }

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(sec int) time.Time { return began.Add(time.Duration(sec) * time.Second) }

// due is a build of one job with two attempts, and of one that never began.
func due() []*scheduler.DueTrace {
	b := scheduler.Build{
		Project: "api", Number: 7, Trigger: "t0000000001", Commit: "c0ffee", Ref: "refs/heads/main", Status: scheduler.Failed,
		Reason: "command_failed", Message: "exit status 1", Created: began, EndedAt: at(60),
		Phases: []scheduler.Phase{{Name: "SUBMITTED", Took: time.Second, Started: began}, {Name: "QUEUED", Started: at(1), Took: time.Second, Status: scheduler.Succeeded}},
	}
	job := &scheduler.Job{ID: "build", Name: "build", Status: scheduler.Failed, Queued: at(30), EndedAt: at(50), Attempts: []scheduler.Attempt{
		{Number: 1, Status: scheduler.Fault, Started: at(3), EndedAt: at(20)},
		{Number: 2, Status: scheduler.Failed, Started: at(31), EndedAt: at(50),
			Phases:   []scheduler.Phase{{Name: "BUILD", Status: scheduler.Failed, Started: at(32), Took: 10 * time.Second}, {Name: "COMPLETED", Started: at(50)}},
			Commands: []runner.Command{{Phase: "BUILD", Text: "make", Began: at(33), Took: 5 * time.Second, Exit: 2}, {Phase: "BUILD", Index: 1, Text: "forged", Began: at(-1000), Took: 9000 * time.Hour}}},
	}}
	return []*scheduler.DueTrace{
		{Seq: 1, Build: b, Job: job},
		{Seq: 2, Build: b, Trigger: scheduler.Trigger{Kind: scheduler.KindManual, Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
			Unbegun: []scheduler.Job{{ID: "deploy", Name: "deploy", Status: scheduler.Failed, Reason: "dependency_failed", EndedAt: at(50)}}},
	}
}

// export runs an exporter until it has nothing left.
func export(t *testing.T, o Options) (outcomes []string) {
	t.Helper()
	q := &queue{due: due(), done: make(chan int, 10)}
	o.Instance, o.Logger = "abc", slog.New(slog.DiscardHandler)
	o.Done = func(outcome string) { outcomes = append(outcomes, outcome) }
	o.Headers = map[string]string{"Authorization": "Bearer x"}
	e, err := New(t.Context(), q, o)
	if err != nil {
		t.Fatal(err)
	}
	e.pause = time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { e.Run(ctx, nil); close(ended) }()
	for range 2 {
		select {
		case <-q.done:
		case <-time.After(30 * time.Second):
			t.Fatal("nothing was exported")
		}
	}
	stop()
	<-ended
	return outcomes
}

func TestABuildIsOneTrace(t *testing.T) {
	r := &receiver{got: make(chan struct{}, 100), refuse: 2}
	s := httptest.NewServer(r)
	defer s.Close()
	outcomes := export(t, Options{Endpoint: s.URL})
	if want := []string{"failed", "failed", "exported", "exported"}; !slices.Equal(outcomes, want) {
		t.Errorf("outcomes %v, want %v", outcomes, want)
	}
	byID := make(map[string]*wire.Span)
	for _, span := range r.spans {
		byID[string(span.SpanId)] = span
	}
	var tree []string
	for _, span := range r.spans {
		way := span.Name
		for p := byID[string(span.ParentSpanId)]; p != nil; p = byID[string(p.ParentSpanId)] {
			way = p.Name + " > " + way
		}
		from, to := time.Unix(0, int64(span.StartTimeUnixNano)), time.Unix(0, int64(span.EndTimeUnixNano))
		tree = append(tree, way+" "+from.Sub(began).String()+" "+to.Sub(began).String())
	}
	slices.Sort(tree)
	want := []string{
		"trigger manual 0s 1s",
		"trigger manual > build api 0s 1m0s",
		"trigger manual > build api > QUEUED 1s 2s",
		"trigger manual > build api > job build 3s 50s",
		"trigger manual > build api > job build > attempt 1 3s 20s",
		"trigger manual > build api > job build > attempt 2 31s 50s",
		"trigger manual > build api > job build > attempt 2 > BUILD 32s 42s",
		"trigger manual > build api > job build > attempt 2 > BUILD > forged 31s 50s",
		"trigger manual > build api > job build > attempt 2 > BUILD > make 33s 38s",
		"trigger manual > build api > job deploy 50s 50s",
	}
	slices.Sort(want)
	if !slices.Equal(tree, want) {
		t.Errorf("the trace is\n%s\nwant\n%s", strings.Join(tree, "\n"), strings.Join(want, "\n"))
	}
	trace := scheduler.TraceID("abc", "api#7")
	attempt := scheduler.SpanID("abc", "api#7", "build", "2") // as in TRACEPARENT
	for _, span := range r.spans {
		if string(span.TraceId) != string(trace[:]) {
			t.Errorf("%s is of trace %x", span.Name, span.TraceId)
		}
	}
	if got := byID[string(attempt[:])]; got == nil || got.Name != "attempt 2" || got.Status.Code != wire.Status_STATUS_CODE_ERROR {
		t.Errorf("the span that a job's tools add to is %v", got)
	}
	for _, span := range r.spans {
		if linked := len(span.Links) == 1 && hex.EncodeToString(span.Links[0].SpanId) == "b7ad6b7169203331"; linked != (span.Name == "trigger manual") {
			t.Errorf("%s has links %v", span.Name, span.Links)
		}
	}
	if r.auth[0] != "Bearer x" {
		t.Errorf("sent with %q", r.auth[0])
	}
}

func TestTheSameIsExportedWithTheSameIDs(t *testing.T) {
	r := &receiver{got: make(chan struct{}, 100)}
	s := httptest.NewServer(r)
	defer s.Close()
	export(t, Options{Endpoint: s.URL})
	export(t, Options{Endpoint: s.URL}) // a daemon that died before it noted that
	ids := make(map[string]int)
	for _, span := range r.spans {
		ids[string(span.SpanId)]++
	}
	for id, n := range ids {
		if n != 2 {
			t.Errorf("span %x came %d times with this id", id, n)
		}
	}
	if len(ids) != 10 {
		t.Errorf("%d ids, want 10", len(ids))
	}
}

func TestTracesGoOverGRPC(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, r := grpc.NewServer(), &receiver{got: make(chan struct{}, 100)}
	collector.RegisterTraceServiceServer(s, r)
	go func() { _ = s.Serve(ln) }()
	defer s.Stop()
	export(t, Options{Endpoint: "http://" + ln.Addr().String(), Protocol: GRPC})
	if len(r.spans) != 10 || r.auth[0] != "Bearer x" {
		t.Errorf("%d spans, with %q", len(r.spans), r.auth)
	}
}

func TestWhatACollectorRefusesDoesNotHoldUpTheRest(t *testing.T) {
	r := &receiver{got: make(chan struct{}, 100), refuse: exportTries}
	s := httptest.NewServer(r)
	defer s.Close()
	e := &Exporter{pause: time.Microsecond}
	if got := min(e.pause<<(exportTries-2), exportPauseMost); got <= 0 {
		t.Errorf("the last pause is %s", got)
	}
	outcomes := export(t, Options{Endpoint: s.URL})
	if n := len(outcomes); n != exportTries+1 || outcomes[n-2] != "dropped" || outcomes[n-1] != "exported" {
		t.Errorf("outcomes %v", outcomes)
	}
}

func TestParentsThatAreNoneMakeNoLink(t *testing.T) {
	for _, text := range []string{"", "00", "00-x-y-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} {
		if _, ok := parse(text); ok {
			t.Errorf("%q was taken", text)
		}
	}
}
