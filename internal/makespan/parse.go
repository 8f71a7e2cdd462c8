package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/runner-ci/runner/internal/figures"
	"github.com/runner-ci/runner/tests"
	"github.com/runner-ci/runner/tests/parse"
)

// The JUnit file that is parsed, and what it may take.
const (
	junitBytes   = 100_000_000
	parsings     = 5
	junitMemory  = 64 // MiB of RssAnon
	sampledCases = 5000
)

// parsing measures how fast a large JUnit file is read from a disk's cache, beside reading it and doing nothing, and
// in how much memory.
func parsing(asked []string) (samples []figures.Sample, err error) {
	if !wants(asked, "parse-junit", "parse-junit-memory") {
		return nil, nil
	}
	f, err := os.CreateTemp("", "makespan-*.xml")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	cases, err := writeJUnit(f)
	if err != nil {
		return nil, fmt.Errorf("writing a JUnit file: %w", err)
	}
	debug.FreeOSMemory()
	high := int64(0)
	for range parsings {
		plain, err := timed(f, func() error { _, err := io.Copy(io.Discard, struct{ io.Reader }{f}); return err })
		if err != nil {
			return nil, err
		}
		found := 0
		sink := parse.Sink{Case: func(*tests.Case) error {
			if found++; found%sampledCases == 0 {
				high = max(high, rssAnon())
			}
			return nil
		}}
		ours, err := timed(f, func() error { return parse.Parse(parse.JUnit, "big", f, sink) })
		if err == nil && found != cases {
			err = fmt.Errorf("%d of %d test cases were found", found, cases)
		}
		if err != nil {
			return nil, err
		}
		samples = append(samples, figures.Sample{Name: "parse-junit", Ours: ours, Theirs: plain, Unit: "MB/s"})
	}
	if high > 0 { // Linux tells
		samples = append(samples, figures.Sample{Name: "parse-junit-memory", Ours: float64(high) / (1 << 20), Theirs: junitMemory, Unit: "MiB"})
	}
	return samples, nil
}

// timed tells at which speed, in MB/s, something reads a file from its beginning.
func timed(f *os.File, read func() error) (speed float64, err error) {
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	began := time.Now()
	err = read()
	return junitBytes / 1e6 / time.Since(began).Seconds(), err
}

// writeJUnit writes a JUnit file: most tests pass, some fail with a stack.
func writeJUnit(to io.Writer) (cases int, err error) {
	w := bufio.NewWriter(to)
	stack := ""
	for i := range 30 {
		stack += fmt.Sprintf("\tat org.example.deep.Stack.method%d(Stack.java:%d)\n", i, i)
	}
	size, _ := w.WriteString("<?xml version=\"1.0\"?>\n<testsuites>\n<testsuite name=\"org.example.Big\" time=\"12.5\">\n")
	for size < junitBytes {
		cases++
		n, _ := fmt.Fprintf(w, "  <testcase classname=\"org.example.package%d.ServiceTest\" name=\"should do thing number %d &amp; more\" time=\"0.%03d\"", cases%100, cases, cases%1000)
		rest := "/>\n"
		if cases%50 == 0 {
			rest = ">\n    <failure message=\"expected: &lt;1&gt; but was: &lt;2&gt;\">" + stack + "</failure>\n  </testcase>\n"
		}
		m, _ := w.WriteString(rest)
		size += n + m
	}
	_, err = w.WriteString("</testsuite>\n</testsuites>\n")
	return cases, errors.Join(err, w.Flush())
}

// rssAnon is this process's memory that is no file's; 0 where the system does not tell.
func rssAnon() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "RssAnon:")
	value, _, _ := strings.Cut(after, "kB")
	kib, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	return kib << 10
}
