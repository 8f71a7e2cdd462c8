package buildspec

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	yaml "github.com/goccy/go-yaml"
)

// BenchmarkParseAndPlan reads a file of 200 lines, as long as real ones get. The goal is below one millisecond;
// "of-goal" is the share of it that one run takes, "cpu-of-goal" the same by the time that the processor worked on it,
// which says more on a busy machine, and "of-decode" how often the YAML library could have decoded the same text into a
// map meanwhile.
func BenchmarkParseAndPlan(b *testing.B) {
	text := longSpec(200)
	if n := strings.Count(string(text), "\n"); n != 200 {
		b.Fatalf("the file has %d lines", n)
	}
	decode := decodeTime(b, text)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	began := cpuTime(b)
	for b.Loop() {
		spec, err := Parse(DefaultFile, text)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := spec.Plan(Options{Image: "alpine"}); err != nil {
			b.Fatal(err)
		}
	}
	each := float64(b.Elapsed()) / float64(b.N)
	b.ReportMetric(each/float64(time.Millisecond), "of-goal")
	b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N)/float64(time.Millisecond), "cpu-of-goal")
	b.ReportMetric(each/decode, "of-decode")
}

// cpuTime is how long processors have worked for this process, its garbage collector included.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// decodeTime is how long the YAML library takes to decode a text, in nanoseconds.
func decodeTime(b *testing.B, text []byte) float64 {
	const rounds = 100
	began := time.Now()
	for range rounds {
		var m map[string]any
		if err := yaml.Unmarshal(text, &m); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(began)) / rounds
}

// BenchmarkMatrix expands a matrix of as many jobs as a build may have. The goal is below one second.
func BenchmarkMatrix(b *testing.B) {
	text := matrixSpec(100, 100)
	b.ReportAllocs()
	jobs := 0
	for b.Loop() {
		spec, err := Parse(DefaultFile, text)
		if err != nil {
			b.Fatal(err)
		}
		plan, err := spec.Plan(Options{Image: "alpine"})
		if err != nil {
			b.Fatal(err)
		}
		jobs = len(plan.Jobs)
	}
	b.ReportMetric(float64(jobs), "jobs")
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(time.Second), "of-goal")
}

// longSpec is a buildspec of so many lines: every part of the language, a third of it a batch, the rest commands.
func longSpec(lines int) []byte {
	var b strings.Builder
	b.WriteString("version: 0.2\nenv:\n  shell: bash\n  variables:\n    A: 1\n  secrets-manager:\n    TOKEN: ci:token\nbatch:\n  build-graph:\n")
	for i := range lines / 15 {
		fmt.Fprintf(&b, "    - identifier: job_%d\n      env:\n        compute-type: BUILD_GENERAL1_SMALL\n        variables:\n          PART: %d\n", i, i)
	}
	b.WriteString("cache:\n  key: k-$(codebuild-hash-files go.sum)\n  paths:\n    - /root/.cache/**/*\nreports:\n  unit:\n    files:\n      - '*.xml'\n" +
		"artifacts:\n  files:\n    - 'bin/**/*'\nphases:\n  build:\n    on-failure: RETRY-2-timed out\n    commands:\n")
	for i := strings.Count(b.String(), "\n"); i < lines; i++ {
		fmt.Fprintf(&b, "      - ./scripts/step.sh --number %d && echo \"step %d done\"\n", i, i)
	}
	return []byte(b.String())
}

// matrixSpec is a matrix of two lists of values.
func matrixSpec(first, second int) []byte {
	var b strings.Builder
	b.WriteString("version: 0.2\nphases:\n  build:\n    commands:\n      - make test\nbatch:\n  build-matrix:\n    dynamic:\n      env:\n        variables:\n")
	for name, n := range map[string]int{"A": first, "B": second} {
		fmt.Fprintf(&b, "          %s:\n", name)
		for i := range n {
			fmt.Fprintf(&b, "            - value %d\n", i)
		}
	}
	return []byte(b.String())
}
