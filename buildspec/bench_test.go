package buildspec

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParseAndPlan reads a file of 200 lines, as long as real ones get. The goal is below one millisecond.
func BenchmarkParseAndPlan(b *testing.B) {
	text := longSpec(200)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		spec, err := Parse(DefaultFile, text)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := spec.Plan(Options{Image: "alpine"}); err != nil {
			b.Fatal(err)
		}
	}
}

// longSpec is a buildspec of so many lines, most of them commands.
func longSpec(lines int) []byte {
	var b strings.Builder
	b.WriteString("version: 0.2\nenv:\n  shell: bash\n  variables:\n    A: 1\nbatch:\n  build-fanout:\n    parallelism: 4\nphases:\n  build:\n    commands:\n")
	for i := strings.Count(b.String(), "\n"); i < lines; i++ {
		fmt.Fprintf(&b, "      - ./scripts/step.sh --number %d && echo \"step %d done\"\n", i, i)
	}
	return []byte(b.String())
}
