package parse

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/tests"
)

// simpleCovFile is the coverage of one Ruby file. Lines hold null for what cannot run, a count, or "ignored". Branches
// of .resultset.json are an object of conditions, each an object of ways with counts, both named by Ruby arrays as
// text: "[:if, 0, 6, 4, 10, 7]" (Ruby's Coverage.result); those of coverage.json are a list.
type simpleCovFile struct {
	Lines    []rubyCount
	Branches json.RawMessage
}

// rubyCount is what a line's count says, in little memory.
type rubyCount byte

const (
	rubyNoCode rubyCount = iota
	rubyMissed
	rubyHit
)

// UnmarshalJSON reads null, "ignored" or a count.
func (c *rubyCount) UnmarshalJSON(text []byte) error {
	switch {
	case string(text) == "null" || len(text) > 0 && text[0] == '"':
		*c = rubyNoCode
	case positive(text):
		*c = rubyHit
	default:
		*c = rubyMissed
	}
	return nil
}

// UnmarshalJSON also takes a bare list of lines, which is how SimpleCov wrote before 0.18.
func (f *simpleCovFile) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, &f.Lines)
	}
	type plain simpleCovFile
	return json.Unmarshal(text, (*plain)(f))
}

// parseSimpleCov reads .resultset.json, which has a result for each command that ran ("RSpec"), and coverage.json, which
// has one. A .last_run.json holds only a percentage, from which no lines can be known: that is an error which says so.
func parseSimpleCov(in *input) error {
	v := newValues(in)
	found := false
	err := v.object(func(key string) error {
		switch key {
		case "coverage":
			found = true
			return v.simpleCovFiles(in)
		case "meta", "groups", "timestamp", "total", "errors":
			return v.skip()
		case "result":
			return fmt.Errorf("found only a percentage, as .last_run.json has it; name coverage/.resultset.json instead")
		}
		return v.object(func(inner string) error {
			if inner != "coverage" {
				return v.skip()
			}
			found = true
			return v.simpleCovFiles(in)
		})
	})
	if err == nil && !found {
		err = fmt.Errorf("found no object \"coverage\", expected SimpleCov's .resultset.json or coverage.json")
	}
	return err
}

func (v *values) simpleCovFiles(in *input) error {
	return v.object(func(path string) error {
		var f simpleCovFile
		if err := v.decode(&f); err != nil {
			return err
		}
		file, err := in.file(validUTF8(path))
		if err != nil {
			return err
		}
		for i, count := range f.Lines {
			if count != rubyNoCode {
				if err := in.line(file, i+1, count == rubyHit); err != nil {
					return err
				}
			}
		}
		return simpleCovBranches(in, file, f.Branches)
	})
}

func simpleCovBranches(in *input, file *tests.FileCoverage, text json.RawMessage) error {
	var byCondition map[string]map[string]int
	if json.Unmarshal(text, &byCondition) == nil {
		for _, condition := range slices.Sorted(maps.Keys(byCondition)) {
			for way, count := range byCondition[condition] {
				if err := in.branch(file, rubyLine(condition), condition+way, count > 0); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var list []struct {
		Type       string
		StartLine  int `json:"start_line"`
		ReportLine int `json:"report_line"`
		Coverage   any
	}
	if json.Unmarshal(text, &list) != nil {
		return nil
	}
	for _, b := range list {
		count, _ := b.Coverage.(float64)
		if err := in.branch(file, b.ReportLine, b.Type+armName(b.StartLine), count > 0); err != nil {
			return err
		}
	}
	return nil
}

// rubyLine is the line in "[:if, 0, 6, 4, 10, 7]": the third value.
func rubyLine(condition string) int {
	parts := strings.Split(condition, ",")
	if len(parts) < 3 {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(parts[2]))
	return n
}
