package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// worst are the largest bodies that a job can bring about, or write itself.
func worst(text string) []Body {
	var many []Artifacts
	var groups []ReportGroup
	var vars []Var
	for i := range 70 {
		many = append(many, Artifacts{ID: text, File: text, Name: text, Files: 1 << 62, Bytes: -1 << 63})
		groups = append(groups, ReportGroup{Name: text, Format: text, Files: 1 << 62, Discovered: true})
		vars = append(vars, Var{fmt.Sprint("N", i), text[:70*i]})
	}
	result := TestResult{Item: -1 << 63, Outcome: text[:min(len(text), 90)], Millis: -1 << 63}
	named := result
	named.Outcome, named.Tests, named.Failed = text, []string{text, text[:min(len(text), 90)]}, []string{text[:min(len(text), 300)]}
	results := slices.Concat(slices.Repeat([]TestResult{named}, 60), slices.Repeat([]TestResult{result}, 5000))
	request := Request{ID: 1 << 63, Cache: &CacheRequest{Key: text, Fallback: slices.Repeat([]string{text}, 20), Paths: text}}
	return []Body{
		Done{
			Status: Status(text), Reason: text, Message: text, Phase: text, Command: text, Exit: -1 << 63, Retry: true,
			Artifacts: &many[0], Secondary: many, Reports: &Reports{File: text, Groups: groups, Bytes: -1 << 63},
			Cache: &Cache{File: text, Key: text, Paths: text, Files: -1 << 63, Bytes: -1 << 63}, Exported: vars,
		},
		Welcome{Version: text, Attempt: text, Request: &request},
		request,
		Request{Runtimes: &RuntimesRequest{File: []byte(strings.Repeat(text, 20)), Want: vars}},
		Request{ID: 1 << 63, Tests: &TestsRequest{
			Call: TestCall{Phase: text, Command: -1 << 63, Call: -1 << 63}, Join: &TestsJoin{Strategy: text, List: -1 << 63, Names: -1 << 63}, Take: &TestsTake{Request: 1 << 63},
			Done: &TestsDone{Token: 1 << 63, Exit: -1 << 63, Millis: -1 << 63, Results: results},
		}},
		Alive{Call: TestCall{Phase: text}},
		Paused{Phase: text}, Resumed{Phase: text},
	}
}

func TestWhateverAnAgentSaysFitsItsLine(t *testing.T) {
	for _, text := range []string{"x", "\x01", "\"", "\xff", "😀"} {
		for _, body := range worst(strings.Repeat(text, 5<<10)) {
			t.Run(fmt.Sprintf("%s of %q", body.Kind(), text), func(t *testing.T) {
				f, err := Encode(1, body)
				if err != nil {
					t.Fatal(err)
				}
				line, err := AppendFrame(nil, f)
				if err != nil || len(line) > MaxAgentLine {
					t.Errorf("its line takes %d bytes (%v), want at most %d", len(line), err, MaxAgentLine)
				}
				forged, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				got, err := decodeAny(Frame{Kind: body.Kind(), Body: forged})
				if err != nil {
					t.Fatal(err)
				}
				if kept, err := json.Marshal(got); err != nil || len(kept) > MaxAgentLine {
					t.Errorf("%d bytes of it are kept (%v)", len(kept), err)
				}
			})
		}
	}
}

func TestExportedVariablesAreLeftOutWhole(t *testing.T) {
	big := strings.Repeat("<", MaxExported/6)
	got := boundedExports([]Var{{"A", "1"}, {"B", big}, {"C", "3"}, {"D", strings.Repeat("x", MaxExported)}, {"E", ""}})
	if want := []Var{{"A", "1"}, {"C", "3"}, {"E", ""}}; !reflect.DeepEqual(got, want) {
		t.Errorf("kept are %d: %.40v, want %v", len(got), got, want)
	}
}

// FuzzBodies takes bodies that a job made up. What is kept of them must fit a line, and stay what it is.
func FuzzBodies(f *testing.F) {
	kinds := []Kind{KindDone, KindRequest, KindPaused, KindResumed, KindWelcome, KindArtifacts, KindAlive, KindEarly}
	for i, kind := range kinds {
		for _, body := range bodies {
			if body.Kind() == kind {
				text, err := json.Marshal(body)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(uint8(i), text)
			}
		}
	}
	f.Add(uint8(0), []byte(`{"secondary":[{"id":"\ud800"}],"exported":[{"name":"\u0000"}],"reports":{"groups":[{},{"name":"/"}]}}`))
	f.Fuzz(func(t *testing.T, kind uint8, text []byte) {
		body, err := decodeAny(Frame{Kind: kinds[int(kind)%len(kinds)], Body: text})
		if err != nil {
			return
		}
		frame, err := Encode(1, body)
		if err != nil {
			t.Fatal(err)
		}
		if line, err := AppendFrame(nil, frame); err != nil || len(line) > MaxAgentLine {
			t.Fatalf("its line takes %d bytes: %v", len(line), err)
		}
		again, err := decodeAny(frame)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Encode(1, again)
		if err != nil || string(second.Body) != string(frame.Body) {
			t.Fatalf("%s became %s, %v", frame.Body, second.Body, err)
		}
	})
}
