package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// bodies is one of each kind, with the awkward values in them.
var bodies = []Body{
	Hello{Protocol: 1, Epoch: 7, LastFrame: 1 << 60},
	Job{
		Attempt: "api#142/BuildFanoutShard3@1", Shell: "bash", Dir: "/src",
		Env:     []Var{{"A", "1\n2"}, {"A", "ünï \x00"}},
		Secrets: []string{"hush"},
		Phases:  []Phase{{Name: PhaseBuild, Commands: []string{"echo '<&>'\n", ""}}},
		Shard:   Shard{Index: 1, Count: 4},
	},
	Stop{Status: StatusStopped, Reason: "superseded", GraceMillis: 10_000},
	Welcome{Protocol: 1, Version: "1.0", Epoch: 7, Attempt: "a", LastFrame: 9},
	Refused{Reason: "older epoch"},
	Log{Data: []byte("no newline, \xff\x00 bytes\nand more")},
	Log{Data: []byte{}},
	PhaseBegan{Phase: PhaseBuild, At: 1},
	PhaseEnded{Phase: PhaseBuild, Status: StatusFailed, Code: "COMMAND_EXECUTION_ERROR", Message: "m"},
	CommandBegan{Phase: PhaseBuild, Index: 2, Finally: true, Text: "a\nb"},
	CommandEnded{Phase: PhaseBuild, Index: 2, Exit: 137, Millis: 5},
	Artifacts{File: ArtifactsFile, Files: 3, Bytes: 10, Name: "n"},
	Early{Number: 2, Groups: []ReportGroup{{Name: "unit", Format: "JUNITXML", Files: 1}}, Bytes: 10},
	Done{Status: StatusFailed, Reason: "command_failed", Exit: 3},
	Done{
		Status: StatusFailed, Secondary: []Artifacts{{ID: "docs", File: SecondaryFile(0), Name: "<docs>"}}, Retry: true,
		Reports: &Reports{File: ReportsFile, Groups: []ReportGroup{{Name: "unit", Format: "JUNITXML", Files: 2, Discovered: true}}},
		Cache:   &Cache{File: CacheFile, Key: "npm-ü", Paths: "d1", Files: 2, Bytes: 9}, Exported: []Var{{"A", "1\n2"}, {"B", ""}},
	},
	Answer{ID: 7, Error: "no", Cache: &CacheAnswer{Hit: true, Key: "k", File: RestoreFile, Bytes: 9}},
	Answer{ID: 8, Runtimes: &RuntimesAnswer{Selected: []Runtime{{"go", "1.26", []string{"a", "b"}, []Var{{"VERSION", "1.26"}}}}}},
	Resume{By: "anna"},
	Request{ID: 7, Cache: &CacheRequest{Key: "k", Fallback: []string{"a", ""}, Paths: "d1"}},
	Request{ID: 8, Runtimes: &RuntimesRequest{File: []byte("runtimes:\n"), Want: []Var{{"python", "3.10"}}}},
	Welcome{Protocol: 1, Attempt: "a", Request: &Request{ID: 7, Cache: &CacheRequest{Paths: "d1"}}},
	Paused{Phase: PhaseBuild, At: 3},
	Resumed{Phase: PhaseBuild, At: 4},
	Request{ID: 8, Tests: &TestsRequest{Call: TestCall{Phase: PhaseBuild, Command: 2, Call: 1}, Join: &TestsJoin{Strategy: StrategyQueue, List: 3, Names: 40}}},
	Request{ID: 9, Tests: &TestsRequest{Take: &TestsTake{Request: 1}}},
	Request{ID: 10, Tests: &TestsRequest{Done: &TestsDone{Token: 5, Exit: 1, Millis: 90, Results: []TestResult{{Item: 7, Outcome: "failed", Millis: 80, Failed: []string{"test_a[1]"}}}}}},
	Answer{ID: 9, Tests: &TestsAnswer{Strategy: StrategyTiming, Why: "first", Token: 5, Items: []int{7, 8}, Again: []int{7}}},
	Alive{Call: TestCall{Phase: PhaseBuild}, Token: 5},
}

func TestEveryBodyComesBackAsItWent(t *testing.T) {
	var stream bytes.Buffer
	w := NewWriter(&stream)
	for i, body := range bodies {
		if err := w.Send(uint64(i), body); err != nil {
			t.Fatal(err)
		}
	}
	if n := bytes.Count(stream.Bytes(), []byte{'\n'}); n != len(bodies) {
		t.Fatalf("%d newlines for %d frames", n, len(bodies))
	}
	r := NewReader(iotest.OneByteReader(&stream))
	for i, want := range bodies {
		f, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Seq != uint64(i) || f.Kind != want.Kind() {
			t.Fatalf("frame %d came back as %d %s", i, f.Seq, f.Kind)
		}
		got, err := decodeAny(f)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, want %#v", want.Kind(), got, want)
		}
	}
	if _, err := r.Read(); err != io.EOF || r.Dropped() != 0 {
		t.Fatalf("at the end: %v, dropped %d", err, r.Dropped())
	}
}

func decodeAny(f Frame) (Body, error) {
	switch f.Kind {
	case KindAnswer:
		return anyOf[Answer](f)
	case KindResume:
		return anyOf[Resume](f)
	case KindRequest:
		return anyOf[Request](f)
	case KindHello:
		return anyOf[Hello](f)
	case KindJob:
		return anyOf[Job](f)
	case KindStop:
		return anyOf[Stop](f)
	case KindWelcome:
		return anyOf[Welcome](f)
	case KindRefused:
		return anyOf[Refused](f)
	case KindLog:
		return anyOf[Log](f)
	case KindPhaseBegan:
		return anyOf[PhaseBegan](f)
	case KindPhaseEnded:
		return anyOf[PhaseEnded](f)
	case KindCommandBegan:
		return anyOf[CommandBegan](f)
	case KindCommandEnded:
		return anyOf[CommandEnded](f)
	case KindEarly:
		return anyOf[Early](f)
	case KindArtifacts:
		return anyOf[Artifacts](f)
	case KindPaused:
		return anyOf[Paused](f)
	case KindAlive:
		return anyOf[Alive](f)
	case KindResumed:
		return anyOf[Resumed](f)
	default:
		return anyOf[Done](f)
	}
}

func anyOf[T Body](f Frame) (Body, error) {
	var body T
	err := Decode(f, &body)
	return body, err
}

func TestKnownLine(t *testing.T) {
	// A line that any other implementation must produce and accept.
	const known = "r1 3 log 79cba0d1 {\"data\":\"aGkK\"}\n"
	line := AppendLog(nil, 3, []byte("hi\n"))
	if string(line) != known {
		t.Errorf("got %q, want %q", line, known)
	}
	f, err := Encode(3, Log{Data: []byte("hi\n")})
	if err != nil {
		t.Fatal(err)
	}
	if long, err := AppendFrame(nil, f); err != nil || !bytes.Equal(long, line) {
		t.Errorf("AppendFrame and AppendLog differ: %q, %q, %v", long, line, err)
	}
}

func TestGarbageIsDroppedAndTheNextLineFound(t *testing.T) {
	good := string(AppendLog(nil, 1, []byte("x")))
	broken := strings.Replace(good, "eA==", "eQ==", 1)
	tests := []struct {
		name, before string
		dropped      int
	}{
		{"nothing", "", 0},
		{"empty lines", "\n\n", 0},
		{"half a line of a dead predecessor", good[:20] + "\n", 1},
		{"words", "panic: hello\n", 1},
		{"wrong sum", broken, 1},
		{"changed number", strings.Replace(good, "r1 1", "r1 2", 1), 1},
		{"changed kind", strings.Replace(good, "log", "done", 1), 1},
		{"leading zero", strings.Replace(good, "r1 1", "r1 01", 1), 1},
		{"carriage return", strings.TrimSuffix(good, "\n") + "\r\n", 1},
		{"binary", "\x00\xff\x01 \n \n", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReader(strings.NewReader(tt.before + good))
			f, err := r.Read()
			if err != nil || f.Seq != 1 {
				t.Fatalf("got %+v, %v", f, err)
			}
			if r.Dropped() != tt.dropped {
				t.Errorf("dropped %d, want %d", r.Dropped(), tt.dropped)
			}
			if want := int64(len(tt.before + good)); r.Offset() != want {
				t.Errorf("offset %d, want %d", r.Offset(), want)
			}
		})
	}
}

func TestLastLineWithoutNewlineIsHalfALine(t *testing.T) {
	good := AppendLog(nil, 1, []byte("x"))
	r := NewReader(bytes.NewReader(good[:len(good)-1]))
	if _, err := r.Read(); err != io.EOF || r.Dropped() != 1 {
		t.Errorf("got %v, dropped %d", err, r.Dropped())
	}
}

// endless is a line that never ends, until n bytes have been read.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	n := min(len(p), e.n)
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.n -= n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestALineWithoutEndIsNotHeldInMemory(t *testing.T) {
	good := AppendLog(nil, 1, []byte("x"))
	r := NewReader(io.MultiReader(&endless{10 * MaxLine}, strings.NewReader("\n"), bytes.NewReader(good)))
	if f, err := r.Read(); err != nil || f.Seq != 1 || r.Dropped() != 1 {
		t.Fatalf("got %+v, %v, dropped %d", f, err, r.Dropped())
	}
	if cap(r.buf) > 3*MaxLine {
		t.Errorf("the buffer grew to %d", cap(r.buf))
	}
}

func TestAnAgentsLinesAreShort(t *testing.T) {
	full := AppendLog(nil, 1, make([]byte, MaxLogData))
	for _, over := range []int{1, 1000, MaxLine - MaxAgentLine - 1000} {
		body := bytes.Repeat([]byte{'1'}, MaxAgentLine+over-len("r1 2 log 00000000 \n"))
		long, err := AppendFrame(nil, Frame{Seq: 2, Kind: KindLog, Body: body})
		if err != nil || len(long) != MaxAgentLine+over {
			t.Fatalf("a line of %d bytes: %v", len(long), err)
		}
		exact, err := AppendFrame(nil, Frame{Seq: 3, Kind: KindLog, Body: body[over:]})
		if err != nil || len(exact) != MaxAgentLine {
			t.Fatalf("a line of %d bytes: %v", len(exact), err)
		}
		r := NewAgentReader(bytes.NewReader(slices.Concat(full, long, exact)))
		for _, want := range []uint64{1, 3} {
			if f, err := r.Read(); err != nil || f.Seq != want {
				t.Fatalf("got frame %d, %v, want frame %d", f.Seq, err, want)
			}
		}
		if r.Dropped() != 1 || cap(r.buf) > 4*MaxAgentLine {
			t.Errorf("dropped %d lines, want 1; the buffer grew to %d", r.Dropped(), cap(r.buf))
		}
	}
}

func TestAnotherVersionIsNamed(t *testing.T) {
	good := AppendLog(nil, 1, []byte("x"))
	newer := append([]byte("r2"), good[2:]...)
	r := NewReader(bytes.NewReader(append(newer, good...)))
	var version *VersionError
	if _, err := r.Read(); !errors.As(err, &version) || version.Got != 2 {
		t.Fatalf("got %v", err)
	}
	if f, err := r.Read(); err != nil || f.Seq != 1 {
		t.Fatalf("after it: %+v, %v", f, err)
	}
}

func TestWhatCannotBeALineIsRefused(t *testing.T) {
	for _, f := range []Frame{
		{Kind: "", Body: []byte("{}")},
		{Kind: "two words", Body: []byte("{}")},
		{Kind: "log"},
		{Kind: "log", Body: []byte("{\n")},
		{Kind: "log", Body: bytes.Repeat([]byte{'1'}, MaxLine)},
	} {
		if line, err := AppendFrame(nil, f); err == nil {
			t.Errorf("kind %q was written as %d bytes", f.Kind, len(line))
		}
	}
	pretty := Frame{Kind: "log", Body: []byte("{\n \"data\": \"eA==\"\n}")}
	line, err := AppendFrame(nil, pretty)
	if err != nil || bytes.Count(line, []byte{'\n'}) != 1 {
		t.Errorf("indented JSON: %q, %v", line, err)
	}
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	if err := Decode(Frame{Seq: 4, Kind: KindLog, Body: []byte("{}")}, &Done{}); err == nil || !strings.Contains(err.Error(), `expected "done"`) {
		t.Errorf("wrong kind: %v", err)
	}
	for _, body := range []string{`{"data":"%%"}`, `{"data":1}`, `nonsense`, ``} {
		if err := Decode(Frame{Kind: KindLog, Body: []byte(body)}, &Log{}); err == nil {
			t.Errorf("%q was taken", body)
		}
	}
	var l Log
	if err := Decode(Frame{Kind: KindLog, Body: []byte(`{"data":"eA==","new":1}`)}, &l); err != nil || string(l.Data) != "x" {
		t.Errorf("a field of a newer side: %v", err)
	}
}

func TestTextsOfAnAgentAreCutOnBothSides(t *testing.T) {
	long := strings.Repeat("\x01", 128<<10) // twice what a line may hold, as it is
	for _, body := range []Body{
		Request{Cache: &CacheRequest{Key: long, Fallback: []string{long, long}, Paths: long}},
		Welcome{Attempt: long, Version: long},
		Refused{Reason: long},
		PhaseBegan{Phase: long},
		PhaseEnded{Phase: long, Status: Status(long), Code: long, Message: long},
		CommandBegan{Phase: long, Text: long},
		CommandEnded{Phase: long},
		Paused{Phase: long},
		Resumed{Phase: long},
		Artifacts{File: long, Name: long},
		Done{Status: Status(long), Reason: long, Message: long, Phase: long, Artifacts: &Artifacts{File: long, Name: long}},
	} {
		t.Run(string(body.Kind()), func(t *testing.T) {
			f, err := Encode(1, body)
			if err != nil {
				t.Fatal(err)
			}
			if line, err := AppendFrame(nil, f); err != nil || len(line) > 64<<10 {
				t.Errorf("its line takes %d bytes (%v), want at most 64 KiB", len(line), err)
			}
			forged, err := json.Marshal(body) // as a job writes it, which nobody cuts for us
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeAny(Frame{Seq: 1, Kind: body.Kind(), Body: forged})
			if err != nil {
				t.Fatal(err)
			}
			if kept, err := json.Marshal(got); err != nil || len(kept) > 64<<10 {
				t.Errorf("%d bytes of it are kept (%v), want at most 64 KiB", len(kept), err)
			}
		})
	}
	if got := Cut(strings.Repeat("ä", MaxText)); got != strings.Repeat("ä", MaxText/2) {
		t.Errorf("cutting two-byte characters leaves %d bytes, want %d", len(got), MaxText)
	}
	if got := Cut("x" + strings.Repeat("ä", MaxText)); len(got) != MaxText-1 {
		t.Errorf("a cut within a character leaves %d bytes, want %d", len(got), MaxText-1)
	}
}

func FuzzReader(f *testing.F) {
	good := AppendLog(nil, 1, []byte("hello"))
	f.Add([]byte("garbage\n"), int64(1))
	f.Add(good, int64(2))
	f.Add(append([]byte("r2"), good[2:]...), int64(3))
	f.Add([]byte("r1 0 hello 00000000 {}\n\n\nr1"), int64(4))
	f.Fuzz(func(t *testing.T, noise []byte, seed int64) {
		rnd := rand.New(rand.NewPCG(uint64(seed), 0))
		r := NewReader(&ragged{rnd, io.MultiReader(bytes.NewReader(noise), strings.NewReader("\n"), bytes.NewReader(good))})
		var last Frame
		for {
			fr, err := r.Read()
			var version *VersionError
			if errors.As(err, &version) {
				continue
			}
			if err != nil {
				break
			}
			if _, err := AppendFrame(nil, fr); err != nil {
				t.Fatalf("read what cannot be written: %v", err)
			}
			_, _ = decodeAny(fr)
			last = fr
		}
		if last.Seq != 1 || string(last.Body) != `{"data":"aGVsbG8="}` {
			t.Fatalf("the good line after the noise was lost: %+v", last)
		}
	})
}

// ragged reads in pieces of random sizes.
type ragged struct {
	rnd *rand.Rand
	src io.Reader
}

func (r *ragged) Read(p []byte) (int, error) {
	return r.src.Read(p[:min(len(p), 1+r.rnd.IntN(64))])
}

// The agent is built from this package and mounted into every sandbox, where each megabyte and each millisecond
// of start-up is paid again. So it may import the standard library, and of that only what is listed.
func TestImportsStaySmall(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{join .Imports \"\\n\"}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := " bytes encoding/base64 encoding/hex encoding/json errors fmt hash/crc32 io slices strconv sync "
	for _, path := range strings.Fields(string(out)) {
		if !strings.Contains(allowed, " "+path+" ") {
			t.Errorf("package wire imports %s, which is not among%s", path, allowed)
		}
	}
}

func BenchmarkLog(b *testing.B) {
	data := bytes.Repeat([]byte("0123456789abcde\n"), MaxLogData/16)
	b.SetBytes(int64(len(data)))
	var line []byte
	for b.Loop() {
		line = AppendLog(line[:0], 1, data)
		f, err := Parse(line)
		if err != nil {
			b.Fatal(err)
		}
		if err := Decode(f, &Log{}); err != nil {
			b.Fatal(err)
		}
	}
}
