package sniff

import (
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	const declaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	tests := []struct{ name, text, want string }{
		{"junit", declaration + `<testsuites name="x">`, "JUNITXML"},
		{"junit of one suite", `<testsuite tests="1">`, "JUNITXML"},
		{"junit with a byte order mark", "\xef\xbb\xbf" + declaration + `<testsuite>`, "JUNITXML"},
		{"junit behind comments", declaration + "<!-- <report> -->\n\n<!-- b --><testsuites>", "JUNITXML"},
		{"nunit 3", declaration + `<test-run id="2" testcasecount="1">`, "NUNIT3XML"},
		{"nunit 2", `<test-results name="a" total="1">`, "NUNITXML"},
		{"testng", `<testng-results skipped="0">`, "TESTNGXML"},
		{"trx", declaration + `<TestRun id="1" xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010">`, "VISUALSTUDIOTRX"},
		{"trx with a prefix", `<t:TestRun xmlns:t="u">`, "VISUALSTUDIOTRX"},
		{"cobertura", `<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd"><coverage line-rate="0.5" version="1">`, "COBERTURAXML"},
		{"clover", `<coverage generated="1600" clover="3.2.0"><project>`, "CLOVERXML"},
		{"clover without a version", "<coverage\n generated = '1'>", "CLOVERXML"},
		{"another coverage", `<coverage version="1" regenerated="1">`, ""},
		{"attributes of the next tag do not count", `<coverage><x line-rate="1">`, ""},
		{"jacoco", declaration + `<!DOCTYPE report PUBLIC "-//JACOCO//DTD Report 1.1//EN" "report.dtd"><report name="a">`, "JACOCOXML"},
		{"another report", `<report name="JACOCO">`, ""},
		{"a document type with a subset", `<!DOCTYPE testsuite [<!ELEMENT a (b)>]><testsuite>`, "JUNITXML"},
		{"cucumber", `[ {"uri": "a.feature", "keyword": "Feature"`, "CUCUMBERJSON"},
		{"cucumber, sorted keys", `[{"description":"","elements":[{"keyword":"Scenario"`, "CUCUMBERJSON"},
		{"another list", `["keyword", "uri"]`, ""},
		{"simplecov", `{"RSpec": {"coverage": {"/app/a.rb": {"lines": [1, null]`, "SIMPLECOV"},
		{"simplecov, newer", `{"meta": {"simplecov_version": "0.22.0"}, "coverage": {}}`, "SIMPLECOV"},
		{"package.json", `{"name": "a", "scripts": {"coverage": "nyc npm test"}}`, ""},
		{"lcov", "TN:\nSF:/src/a.c\nDA:1,1\n", "LCOV"},
		{"lcov without a test name", "SF:a.js\r\nDA:1,1\r\n", "LCOV"},
		{"an info file", "SF", ""},
		{"go test -json", `{"Time":"2026-01-01T00:00:00Z","Action":"start","Package":"example.com/a"}` + "\n", "GOTESTJSON"},
		{"go test -json of code that does not compile", `{"ImportPath":"example.com/a","Action":"build-output","Output":"x"}` + "\n", "GOTESTJSON"},
		{"another action", `{"Action":"push"}`, ""},
		{"a cover profile of go", "mode: atomic\nexample.com/a/a.go:1.1,2.2 1 0\n", "GOCOVER"},
		{"another mode", "mode: dark\n", ""},
		{"tap", "TAP version 13\n1..1\nok 1\n", "TAP"},
		{"tap without a version", "1..2 # two\nok 1 - a\nnot ok 2\n", "TAP"},
		{"a range", "1..2\n3..4\n", ""},
		{"an unfinished comment", "<!-- " + strings.Repeat("x", 100), ""},
		{"an unfinished tag", "<testsuite", ""},
		{"html", "<html><testsuite>", ""},
		{"nothing", " \n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Format([]byte(tt.text)); got != tt.want {
				t.Errorf("%q is %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

func TestCandidate(t *testing.T) {
	for name, want := range map[string]bool{
		"out/a.xml": true, "c.out": true, "coverage.txt": true, "Coverage.TXT": true, "notes.txt": false, "a.tap": true,
		"events.jsonl": true, "app": false, "out": false, "cover/notes.txt": false,
	} {
		if got := Candidate(name); got != want {
			t.Errorf("%s is a candidate: %t, want %t", name, got, want)
		}
	}
}

func FuzzFormat(f *testing.F) {
	f.Add([]byte("<!DOCTYPE report [ ]><report>"))
	f.Add([]byte("TN:\nSF:a"))
	f.Add([]byte(`[{"keyword":"","uri":""}]`))
	f.Fuzz(func(t *testing.T, head []byte) {
		if format := Format(head); format != strings.ToUpper(format) {
			t.Errorf("%q", format)
		}
	})
}
