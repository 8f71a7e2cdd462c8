package terminal

import (
	"fmt"
	"strings"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/buildspec/tree"
)

// Annotations writes problems as GitHub's workflow commands, which put each at its line of the change under review. A
// file that could not be judged is an error too.
func Annotations(o *Output, verdicts []tree.Verdict) {
	for _, v := range verdicts {
		for _, p := range v.Problems {
			o.Lines(annotation(v.Kind, problemPath(v, p), p))
		}
		if v.Trouble != "" {
			o.Lines(annotation(v.Kind, v.Path, buildspec.Problem{Severity: buildspec.SeverityError, Message: v.Trouble}))
		}
	}
}

// problemPath is the path in the repository of the file that a problem lies in: the one that was judged, or another
// that it names.
func problemPath(v tree.Verdict, p buildspec.Problem) string {
	if p.File == v.File || p.File == "" {
		return v.Path
	}
	return p.File
}

func annotation(kind tree.Kind, path string, p buildspec.Problem) string {
	var b strings.Builder
	fmt.Fprintf(&b, "::%s file=%s", p.Severity, escapeProperty(path))
	if p.Line > 0 {
		fmt.Fprintf(&b, ",line=%d,col=%d", p.Line, max(p.Column, 1))
	}
	fmt.Fprintf(&b, ",title=%s::%s", escapeProperty(string(kind)+" "+string(p.Severity)), escapeData(problemText(p)))
	return b.String()
}

// problemText is a problem's message with its hint, without its place.
func problemText(p buildspec.Problem) string {
	if p.Hint == "" {
		return p.Message
	}
	return p.Message + "\nhint: " + p.Hint
}

var (
	dataEscapes     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// escapeData makes a text one line that no runner takes for another command.
func escapeData(text string) string { return dataEscapes.Replace(plainText(text)) }

func escapeProperty(text string) string { return propertyEscapes.Replace(plainText(text)) }
