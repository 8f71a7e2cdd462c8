package compare

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

func opened(text string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

func numbered(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s %d\n", prefix, i)
	}
	return b.String()
}

func TestDivergeTellsTheFirstPlace(t *testing.T) {
	for _, c := range []struct {
		name, green, red string
		want             []string
		more             [2]int
	}{
		{"the same", "a\n", "a\n", nil, [2]int{}},
		{"one place", "a\nb\nok\nc\n", "a\nb\nFAIL\nwhy\nc\n", []string{" 1 a", " 2 b", "-3 ok", "+3 FAIL", "+4 why"}, [2]int{}},
		{"what is missing, and what is there instead", "a\nok\nb\nc\nd\ne\nf\ng\n", "a\nb\nc\nd\ne\nf\nFAIL\ng\n",
			[]string{" 1 a", "-2 ok", " 2 b", " 3 c", "~0 ", " 5 e", " 6 f", "+7 FAIL"}, [2]int{}},
		{"nothing is there instead", "a\nok\nb\n", "a\nb\n", []string{" 1 a", "-2 ok"}, [2]int{}},
		{"many lines", numbered("g", 8), numbered("r", 25), slices.Concat(rows("-", "g", firstGreen), rows("+", "r", firstRed)), [2]int{3, 15}},
	} {
		d, err := Diverge("linux", opened(c.green), opened(c.red))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range d.First {
			got = append(got, fmt.Sprintf("%s%d %s", signs[r.Kind], r.Number, r.Text))
		}
		if !slices.Equal(got, c.want) || [2]int{d.GreenMore, d.RedMore} != c.more {
			t.Errorf("%s: %q, %d and %d more\nwant %q, %v", c.name, got, d.GreenMore, d.RedMore, c.want, c.more)
		}
	}
}

func rows(sign, prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%s%d %s %d", sign, i+1, prefix, i))
	}
	return out
}

func list(cases ...client.TestCase) func() (client.TestCase, bool, error) {
	return func() (c client.TestCase, ok bool, err error) {
		if len(cases) == 0 {
			return c, false, nil
		}
		c, cases = cases[0], cases[1:]
		return c, true, nil
	}
}

func TestCompareTests(t *testing.T) {
	ok := func(id string, seconds float64) client.TestCase {
		return client.TestCase{ID: id, Status: "SUCCEEDED", Seconds: seconds}
	}
	as := func(id, status string) client.TestCase { return client.TestCase{ID: id, Status: status} }
	got, err := CompareTests(
		list(ok("a", 1), ok("b", 1), as("c", "FAILED"), ok("d", 1), ok("e", 1), as("f", "ERROR"), ok("g", 1), ok("z", 1)),
		list(ok("a", 1.9), as("b", "FAILED"), ok("c", 1), ok("e", 2.1), as("f", "FAILED"), as("g", "SKIPPED"), ok("h", 1), as("i", "ERROR")),
	)
	ids := func(c TestChanges) (out string) {
		for _, x := range c.First {
			out += x.ID
		}
		return fmt.Sprint(c.Count, " ", out)
	}
	all := []string{ids(got.Failing), ids(got.Passing), ids(got.New), ids(got.Gone), ids(got.Skipped), ids(got.Slower)}
	if want := []string{"2 bi", "1 c", "1 h", "2 dz", "1 g", "1 e"}; err != nil || !slices.Equal(all, want) || got.Same != 1 || got.Still != 1 || !got.Otherwise() {
		t.Errorf("%v %v same, %v still, %v; want %v", all, got.Same, got.Still, err, want)
	}
	if _, err := CompareTests(list(ok("b", 1), ok("a", 1)), list()); err == nil {
		t.Error("a list in no order seems right")
	}
}

func TestFactsOfBuildsAndEnvironments(t *testing.T) {
	green := client.Build{Commit: "aa", Tree: "t", Ref: "refs/heads/main", Kind: "push", Trusted: true, Parameters: []client.Parameter{{Name: "target", Value: "one"}}, Jobs: []client.Job{{ID: "x"}, {ID: "y"}}}
	red := client.Build{Commit: "bb", Tree: "t", Ref: "refs/heads/fix", Kind: "push", Parameters: []client.Parameter{{Name: "target", Value: "two"}, {Name: "more"}}, Jobs: []client.Job{{ID: "x"}}}
	var got []string
	for _, f := range Builds(green, red) {
		got = append(got, fmt.Sprintf("%s: %s, %s %s %s", f.Describe(), f.Green, f.Red, f.Absent, f.Note))
	}
	want := []string{"commit: aa, bb  of the same tree", "ref: main, fix  ", "trusted: true, false  ", "parameter more: ,  green ", "parameter target: one, two  ", "job: y,  red "}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if same := Builds(green, green); len(same) > 0 {
		t.Errorf("a build differs from itself: %v", same)
	}

	variable := func(name, value, from string) client.EnvironmentVariable {
		return client.EnvironmentVariable{Name: name, Value: value, From: from}
	}
	g := client.Environment{Job: "x", Attempt: 1, Image: client.EnvironmentImage{Name: "go", ID: "1", Digest: "d1"}, Warm: true, Plan: []string{"BUILD: a", "BUILD: b"},
		Variables: []client.EnvironmentVariable{variable("A", "1", "project"), {Name: "HIDDEN", Hidden: true, Mark: "m1", From: "trigger"}, {Name: "S", Secret: "one", Hidden: true, From: "buildspec"}, variable("GONE", "", "project"), variable("CODEBUILD_BUILD_ID", "1", "runner")}}
	r := client.Environment{Job: "x", Attempt: 1, Image: client.EnvironmentImage{Name: "go", ID: "2", Digest: "d2"}, Plan: []string{"BUILD: b", "BUILD: c"},
		Variables: []client.EnvironmentVariable{variable("A", "2", "trigger"), {Name: "HIDDEN", Hidden: true, Mark: "m2", From: "trigger"}, {Name: "S", Secret: "two", Hidden: true, From: "buildspec"}, variable("CODEBUILD_BUILD_ID", "2", "runner")}}
	got = nil
	for _, f := range Environments(g, r) {
		got = append(got, fmt.Sprintf("%s: %s, %s %s %v", f.Describe(), f.Green, f.Red, f.Absent, f.Hidden))
	}
	want = []string{"image go: d1, d2  false", "sandbox: made ahead, made for it  false", "variable A: 1, 2  false", "variable GONE: ,  red false", "variable HIDDEN: ,   true",
		"variable S: secret one, secret two  true", "plan: BUILD: a,  red false", "plan: , BUILD: c green false"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if same := Environments(g, g); len(same) > 0 {
		t.Errorf("an environment differs from itself: %v", same)
	}
}

func TestFactsOfEachJobAreToldOnce(t *testing.T) {
	image := func(job string) Fact { return Fact{Job: job, What: "image", Green: "1", Red: "2"} }
	got := Together([]Fact{image("a"), {Job: "a", What: "engine"}, image("b")}, 2)
	if want := []Fact{image(""), {Job: "a", What: "engine"}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
