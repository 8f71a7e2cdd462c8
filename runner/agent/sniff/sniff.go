// Package sniff recognises the formats of test and coverage reports by the beginning of a file. It is written by hand
// because the agent, which has to stay small, needs no more than the first tag, and because what a job leaves is
// hostile: nothing here allocates by what a file says.
package sniff

import (
	"bytes"
	"path"
	"strings"
)

// Size is how much of a file's beginning Format wants, in bytes.
const Size = 16 << 10

// Candidate tells whether a file may be a report, by its name.
func Candidate(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".xml", ".trx", ".json", ".jsonl", ".ndjson", ".info", ".lcov", ".tap", ".out", ".coverprofile":
		return true
	case ".txt": // coverage.txt is what many call a profile of Go
		return strings.Contains(strings.ToLower(path.Base(name)), "cover")
	}
	return false
}

// Format returns the format that a file is in, as a buildspec's file-format spells it, or "" when it is none that is
// known.
func Format(head []byte) string {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(head) == 0 {
		return ""
	}
	switch head[0] {
	case '<':
		return xmlFormat(head)
	case '{', '[':
		return jsonFormat(head)
	}
	switch first, _, _ := bytes.Cut(head, []byte("\n")); {
	case goMode(first):
		return "GOCOVER"
	case bytes.HasPrefix(first, []byte("TAP version 1")), plan(first) && bytes.Contains(head, []byte("ok ")):
		return "TAP"
	}
	return lcovFormat(head)
}

// goMode recognises the first line of a cover profile of Go.
func goMode(line []byte) bool {
	mode, found := strings.CutPrefix(string(bytes.TrimSpace(line)), "mode: ")
	return found && (mode == "set" || mode == "count" || mode == "atomic")
}

// plan recognises the line of a TAP file that says how many tests there are, like "1..12".
func plan(line []byte) bool {
	count, found := strings.CutPrefix(string(bytes.TrimSpace(line)), "1..")
	count, _, _ = strings.Cut(count, " ")
	return found && count != "" && strings.Trim(count, "0123456789") == ""
}

func xmlFormat(head []byte) string {
	doctype, name, attributes := firstTag(head)
	switch name {
	case "testsuites", "testsuite":
		return "JUNITXML"
	case "test-run":
		return "NUNIT3XML"
	case "test-results":
		return "NUNITXML"
	case "testng-results":
		return "TESTNGXML"
	case "TestRun":
		return "VISUALSTUDIOTRX"
	case "coverage":
		if attribute(attributes, "line-rate") {
			return "COBERTURAXML"
		}
		if attribute(attributes, "clover") || attribute(attributes, "generated") {
			return "CLOVERXML"
		}
	case "report":
		if bytes.Contains(doctype, []byte("JACOCO")) {
			return "JACOCOXML"
		}
	}
	return ""
}

// firstTag returns the document type declaration, and the name and the attributes of the first element. What does not
// end within head has no name.
func firstTag(head []byte) (doctype []byte, name string, attributes []byte) {
	for {
		head = bytes.TrimLeft(head, " \t\r\n")
		end := -1
		switch {
		case bytes.HasPrefix(head, []byte("<?")):
			end = after(head, "?>")
		case bytes.HasPrefix(head, []byte("<!--")):
			end = after(head, "-->")
		case bytes.HasPrefix(head, []byte("<!DOCTYPE")):
			if end = after(head, ">"); bytes.IndexByte(head[:max(end, 0)], '[') >= 0 {
				end = after(head, "]>")
			}
			doctype = head[:max(end, 0)]
		case bytes.HasPrefix(head, []byte("<")):
			return element(doctype, head[1:])
		}
		if end < 0 {
			return doctype, "", nil
		}
		head = head[end:]
	}
}

func after(text []byte, end string) int {
	i := bytes.Index(text, []byte(end))
	if i < 0 {
		return -1
	}
	return i + len(end)
}

func element(doctype, text []byte) ([]byte, string, []byte) {
	end := bytes.IndexAny(text, " \t\r\n/>")
	if end < 0 {
		return doctype, "", nil
	}
	name := text[:end]
	if colon := bytes.IndexByte(name, ':'); colon >= 0 { // a namespace's prefix
		name = name[colon+1:]
	}
	attributes := text[end:]
	if close := bytes.IndexByte(attributes, '>'); close >= 0 {
		attributes = attributes[:close]
	}
	return doctype, string(name), attributes
}

// attribute tells whether a tag has an attribute.
func attribute(attributes []byte, name string) bool {
	for rest := attributes; ; {
		i := bytes.Index(rest, []byte(name))
		if i < 0 {
			return false
		}
		tail := bytes.TrimLeft(rest[i+len(name):], " \t\r\n")
		if i > 0 && strings.IndexByte(" \t\r\n", rest[i-1]) >= 0 && bytes.HasPrefix(tail, []byte("=")) {
			return true
		}
		rest = rest[i+len(name):]
	}
}

// jsonFormat goes by the keys that the formats cannot do without. Cucumber's file is a list of features, SimpleCov's
// an object that names the lines of Ruby files.
func jsonFormat(head []byte) string {
	has := func(text string) bool { return bytes.Contains(head, []byte(text)) }
	if head[0] == '[' {
		if next := bytes.TrimLeft(head[1:], " \t\r\n"); !bytes.HasPrefix(next, []byte("{")) {
			return ""
		}
		if has(`"keyword"`) && (has(`"elements"`) || has(`"uri"`)) {
			return "CUCUMBERJSON"
		}
		return ""
	}
	if has(`"coverage"`) && (has(`"simplecov_version"`) || has(`.rb"`)) {
		return "SIMPLECOV"
	}
	// go test -json writes an object a line, each with what happened and where.
	first, _, _ := bytes.Cut(head, []byte("\n"))
	if bytes.Contains(first, []byte(`"Action":"`)) && (bytes.Contains(first, []byte(`"Package":"`)) || bytes.Contains(first, []byte(`"ImportPath":"`))) {
		return "GOTESTJSON"
	}
	return ""
}

// lcovFormat recognises a tracefile by its first lines: an optional test name, then a source file.
func lcovFormat(head []byte) string {
	for line := range bytes.Lines(head) {
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case len(line) == 0, bytes.HasPrefix(line, []byte("#")):
		case bytes.HasPrefix(line, []byte("TN:")):
		case bytes.HasPrefix(line, []byte("SF:")) && len(line) > len("SF:"):
			return "LCOV"
		default:
			return ""
		}
	}
	return ""
}
