package buildspec

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// TestRetry is how often tests that failed are tried again, and what comes of those that pass then.
type TestRetry struct {
	Each  int           `json:"each"`            // how often one file is tried again, 1 to 10
	Tests int           `json:"tests,omitempty"` // how many further tries there are in all; 0: no such limit
	Share float64       `json:"share,omitempty"` // when more than this part of the files has failed, none is tried again; 0: no such limit
	Time  time.Duration `json:"time,omitempty"`  // what the files took whose tries are repeated, in all; 0: no such limit

	FlakyFails bool `json:"flakyFails,omitempty"` // what passes only at a further try fails the build
}

// How often one file may be tried again, and how many further tries there are in all, at most and unless the file says.
const (
	mostEach         = 10
	mostTestRetries  = 100_000
	usualTestRetries = 10
)

// tests is the block x-runner.tests.
func (c *checker) tests(e entry) {
	n, ok := c.block(e, testsSection.name)
	if !ok {
		return
	}
	flaky := false
	c.section(testsSection, n, map[string]func(entry){
		"retry": func(e entry) { c.spec.Retry = c.testRetry(e, testsSection.path("retry")) },
		"flaky": func(e entry) { flaky = c.failsFlaky(e, testsSection.path("flaky")) },
	})
	switch {
	case c.spec.Retry != nil:
		c.spec.Retry.FlakyFails = flaky
	case flaky:
		c.warn(e.at, complaint{
			message: testsSection.path("flaky") + " has no effect without retry: no test is tried again, so none can turn out to be flaky",
			hint:    "add retry: 1",
		})
	}
}

// withoutQueue tells that tests are divided in a way in which none can be tried again elsewhere.
func (c *checker) withoutQueue(e entry) {
	word := c.spec.Sharding
	if c.spec.Retry == nil || word != "equal-distribution" && word != "stability" {
		return
	}
	c.warn(e.at, complaint{
		message: fmt.Sprintf("x-runner.tests.retry has no effect with x-runner.sharding: %s, by which each shard divides the tests by itself", word),
		hint:    "write sharding: queue, or leave it out, which means queue where tests are tried again",
	})
	c.spec.Retry = nil
}

// failsFlaky reads whether flaky tests fail the build.
func (c *checker) failsFlaky(e entry, what string) bool {
	text, ok := c.text(e, what)
	word := strings.ToLower(text)
	if ok && word != "pass" && word != "fail" {
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must be pass or fail, but this is %s", what, e.value.found()),
			hint:    "write pass if a test that fails and then passes leaves the build green",
		})
	}
	return word == "fail"
}

// testRetry is a number, or a mapping with a budget; nil where nothing is tried again.
func (c *checker) testRetry(e entry, what string) *TestRetry {
	to := &TestRetry{Each: 1, Tests: usualTestRetries}
	switch n := e.value; n.kind {
	case null:
		return nil
	case mapping:
		c.section(testRetrySection, n, map[string]func(entry){
			"each":  func(e entry) { c.countIn(e, testRetrySection.path(e.key), 0, mostEach, &to.Each) },
			"tests": func(e entry) { c.countIn(e, testRetrySection.path(e.key), 1, mostTestRetries, &to.Tests) },
			"share": func(e entry) { to.Share = c.share(e, testRetrySection.path(e.key)) },
			"time":  func(e entry) { to.Time = c.target(e, testRetrySection.path(e.key)) },
		})
	case scalar:
		c.countIn(e, what, 0, mostEach, &to.Each)
	default:
		c.wrong(n, what, "a number, or a mapping with each, tests, share and time")
	}
	if to.Each == 0 {
		return nil
	}
	return to
}

// countIn reads a whole number within bounds.
func (c *checker) countIn(e entry, what string, least, most int, to *int) {
	text, ok := c.text(e, what)
	if !ok {
		return
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must be a whole number from %d to %d, but this is %s", what, least, most, e.value.found()),
			hint:    "write for example retry: {each: 1, tests: 10}",
		})
		return
	}
	*to = n
}

// share reads a part of all tests.
func (c *checker) share(e entry, what string) float64 {
	text, ok := c.text(e, what)
	if !ok {
		return 0
	}
	part, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(part) || part <= 0 || part > 1 {
		c.fail(e.value.at, complaint{
			message: fmt.Sprintf("%s must be a number above 0, and at most 1, but this is %s", what, e.value.found()),
			hint:    "write share: 0.1 if nothing is to be tried again once more than a tenth of the files has failed",
		})
		return 0
	}
	return part
}
