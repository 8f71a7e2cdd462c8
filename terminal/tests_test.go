package terminal

import (
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// TestHostileTestsAreShownAsText: whatever a report says its tests are called, nothing of it moves the cursor, makes lines
// that look like ours, or turns text around.
func TestHostileTestsAreShownAsText(t *testing.T) {
	const evil = "a\x1b[2J\x1b]0;x\x07\u202e\u2066\u009b31m\x00\x08\r\nFORGED line"
	var out strings.Builder
	o := New(&out)
	c := client.TestCase{ID: evil, Name: evil, File: evil, Line: 3, Status: "FAILED", Message: evil, Details: evil, Output: evil, Tries: []client.TestTry{{Status: "FAILED", Message: evil}}}
	f := client.TestFailure{ID: evil, Name: evil, File: evil, Line: 3, Message: evil, Excerpt: []client.SourceLine{{Number: 3, Text: evil}}, Command: evil, FirstBuild: "api#1", Runs: 2}
	b := client.Build{ID: "api#1", Status: inProgress, Tests: &client.BuildTests{Failed: 1, Failing: true, Failures: []client.TestFailure{f}}}
	Tests(o, b, nil)
	Tests(o, b, []client.TestCase{c})
	Failures(o, []client.TestCase{c})
	Trends(o, []client.TestTrend{{ID: evil}}, time.Now())
	TestResults(o, []client.TestResult{{Build: "api#1", Ref: evil}}, time.Now())
	ReportProblems(o, client.TestReport{Problems: []string{evil}})
	text := out.String()
	if i := strings.IndexAny(text, "\x1b\x00\x07\x08\r\u009b\u202e\u2066"); i >= 0 {
		t.Errorf("%q gets through", text[max(0, i-20):min(len(text), i+20)])
	}
	if strings.HasPrefix(text, "FORGED") || strings.Count(text, "FORGED") == 0 {
		t.Errorf("the text is lost or begins a line:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "FORGED") {
			t.Errorf("a report made a line of its own:\n%s", text)
			break
		}
	}
}

func TestTestsAreTold(t *testing.T) {
	b := client.Build{ID: "api#1", Tests: &client.BuildTests{
		Passed: 1204, Failed: 12, Flaky: 1, Summary: "1,204 passed, 12 failed, 1 flaky, 6 shards, 2m11s (3.8× faster than one)",
		Coverage: &client.Coverage{Percent: 81.23, Lines: 10402}, Incomplete: true,
	}}
	var failed []client.TestCase
	for range 11 {
		failed = append(failed, client.TestCase{ID: "store::TestOpen", Status: "FAILED", File: "store/open_test.go", Line: 41, Message: "\n\x1b]0;title\aexpected 4\nfound 5"})
	}
	failed[1] = client.TestCase{ID: "store::TestFlaky", Status: "SUCCEEDED", Flaky: true}
	failed[2] = client.TestCase{ID: "store", Status: "ERROR", Build: true, File: "store"}
	var out strings.Builder
	Tests(New(&out), b, failed)
	want := `tests     1,204 passed, 12 failed, 1 flaky, 6 shards, 2m11s (3.8× faster than one); INCOMPLETE: some report files are missing or could not be read
coverage  81.2 % of 10,402 lines
✗ store::TestOpen  store/open_test.go:41
    expected 4
~ store::TestFlaky (flaky)
✗ store (does not compile)  store
✗ store::TestOpen  store/open_test.go:41
`
	if !strings.HasPrefix(out.String(), want) {
		t.Errorf("got\n%s\nwant it to begin with\n%s", out.String(), want)
	}
	if !strings.HasSuffix(out.String(), "… and 3 more: runner tests failures api#1\n\n") {
		t.Errorf("the rest is not told of:\n%s", out.String())
	}
	out.Reset()
	Tests(New(&out), client.Build{ID: "api#1"}, nil)
	if out.Len() > 0 {
		t.Errorf("a build without tests shows %q", out.String())
	}
}

func TestAFailureSaysAllItKnows(t *testing.T) {
	var out strings.Builder
	Failures(New(&out), []client.TestCase{{
		ID: "a::b", Status: "FAILED", Seconds: 1.5, Shard: 2, Attempt: 1, Message: "no", Details: "at a.go:1\nat b.go:2", Output: "printed",
		Tries: []client.TestTry{{Shard: 1, Attempt: 1, Status: "SUCCEEDED"}, {Shard: 2, Attempt: 1, Status: "FAILED", Message: "no"}},
	}})
	want := `✗ a::b
    no
    FAILED after 1.5 s, job 3, attempt 1
    job 2, attempt 1: SUCCEEDED
    job 3, attempt 1: FAILED  no
      at a.go:1
      at b.go:2
      printed

`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTrendsAndResults(t *testing.T) {
	now := time.Now()
	result := client.TestResult{Build: "api#3", Commit: "0123456789", Ref: "refs/heads/main", At: now.Add(-2 * time.Hour), Status: "FAILED", Seconds: 2}
	var out strings.Builder
	Trends(New(&out), []client.TestTrend{{ID: "a::b", Runs: 12, Failed: 3, Flaky: 1, MeanSeconds: 61, Last: result, Since: &result}}, now)
	TestResults(New(&out), []client.TestResult{result, {Build: "api#2", Status: "SUCCEEDED", Flaky: true}}, now)
	got := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"✗ a::b 1m 01s 12 3 1 api#3 2 h ago api#3 0123456", "✗ api#3 FAILED 2.0 s 2 h ago main 0123456", "✓ api#2 FLAKY 0.0 s -",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
}
