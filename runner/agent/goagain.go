package agent

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
)

// runGo runs packages of Go at once, but each by itself of which only some tests are tried again.
func (r *sharedRun) runGo(offer wire.TestsAnswer, items []int) *wire.TestsDone {
	var whole []int
	all := &wire.TestsDone{}
	add := func(one *wire.TestsDone, items []int) {
		if one.Exit != 0 {
			all.Exit = one.Exit
		}
		all.Results = append(all.Results, completed(one, items)...)
	}
	for _, item := range items {
		if only := offer.Only[item]; choosable(r.opts.test, only) {
			add(r.runFiles(offer, []int{item}, only...), []int{item})
		} else {
			whole = append(whole, item)
		}
	}
	switch len(whole) {
	case 0:
		return all
	case len(items):
		return r.runFiles(offer, items)
	}
	add(r.runFiles(offer, whole), whole)
	return all
}

// choosable tells whether these tests of a package can run alone: not where the command chooses tests itself.
func choosable(command string, tests []string) bool {
	at := goTestCommand.FindStringIndex(command)
	if _, _, ok := asJSON(command); !ok || len(tests) == 0 {
		return false
	}
	for _, word := range append(strings.Fields(command[at[1]:]), strings.Fields(os.Getenv("GOFLAGS"))...) {
		flag, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if flag = strings.TrimPrefix(flag, "test."); strings.HasPrefix(word, "-") && (flag == "run" || flag == "skip") {
			return false
		}
	}
	for _, test := range tests {
		if !goListedTest.MatchString(test) {
			return false
		}
	}
	return true
}

// failedNames are the names within their package of tests that are known by their ids.
func failedNames(ids []string) (names []string) {
	for _, id := range ids {
		_, name, _ := strings.Cut(id, "::")
		names = append(names, name)
	}
	return names
}

// without are those of some tests that did not run, which go test takes for passed.
func (g *goResults) without(tests []string) []string {
	if g == nil || g.events == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(tests), func(test string) bool {
		for _, p := range g.events.named {
			if p.tests[test] != nil {
				return true
			}
		}
		return false
	})
}

// missed fails a package that passed without the tests that were asked for.
func missed(one *wire.TestResult, file string, gone []string) {
	if one.Outcome == outcomePassed && len(gone) > 0 {
		fmt.Printf("codebuild-tests-run: there is no test %s any more in %s\n", strings.Join(gone, ", "), file)
		one.Outcome = outcomeFailed
	}
}
