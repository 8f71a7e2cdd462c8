package scheduler

import (
	"testing"

	"github.com/runner-ci/runner/config"
)

// TestWhatAForgeIsToldOfACommitThatIsSkipped: a check that is required passes where no file is worth a build, and nothing else
// is said of what filters keep out.
func TestWhatAForgeIsToldOfACommitThatIsSkipped(t *testing.T) {
	asks := forkRequest("c0ffee")
	approved := asks
	approved.Approved = &Approval{By: "ada", Commit: "c0ffee"}
	for name, c := range map[string]struct {
		t      Trigger
		change func(*config.Project)
		git    *gitFacts
		word   *Word
	}{
		"no file of paths": {
			pushTo("refs/heads/main", "c0ffee"), func(p *config.Project) { p.Paths = []string{"src/**"} },
			&gitFacts{message: "x", files: []string{"docs/a"}, looked: true}, &Word{Passed: true, Text: "skipped: no file under src/** changed"},
		},
		"a filter": {
			pushTo("refs/heads/main", "c0ffee"), func(p *config.Project) {
				p.Filters = []config.FilterGroup{{f("EVENT", "PUSH"), f("FILE_PATH", "^src/")}}
			}, &gitFacts{message: "x", files: []string{"docs/a"}, looked: true}, nil,
		},
		"a word": {pushTo("refs/heads/main", "c0ffee"), nil, &gitFacts{message: "x [skip ci]", looked: true}, nil},
		"a word in a request that waited": {
			approved, nil, &gitFacts{message: "x [skip ci]", looked: true},
			&Word{Text: "skipped: the commit's message says [skip ci] (skip-words: off builds it all the same)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := telling(t, statePath(t), c.change)
			c.t.Read = false // the forge did not send the message
			tr := accept(t, s, c.t)
			d, err := s.decide(&tr, looks{"https://example.com/api.git": c.git})
			if err != nil {
				t.Fatal(err)
			}
			if builds, err := s.commitTrigger(&tr, d); err != nil || len(builds) != 0 || tr.Outcome != OutcomeSkipped {
				t.Fatalf("it is %s with %d builds, %v", tr.Outcome, len(builds), err)
			}
			due := statusDue(t, s)
			switch {
			case c.word == nil && due != nil:
				t.Errorf("due is %+v, want nothing", due.Word)
			case c.word != nil && (due == nil || due.Word == nil || due.Word.Passed != c.word.Passed || due.Word.Text != c.word.Text):
				t.Errorf("due is %+v, want %+v", due, c.word)
			}
		})
	}
}
