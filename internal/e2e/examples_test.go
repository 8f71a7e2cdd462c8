package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

// example is what a build of one of the examples must leave.
type example struct {
	images    []string
	jobs      []string
	says      map[string]string // words of the logs, by job; "" is every job
	artifacts int               // sets
	secondary []string          // ids of secondary artifacts
	exported  []string          // names of exported variables
	reports   int               // sets of report files; 0: as many as shards had tests
	tests     int               // that the build's report has, all of which pass
	covered   bool              // it has the coverage of them
	slow      bool
}

var examples = map[string]example{
	"go-service": {
		images:    []string{"golang:1.26"},
		jobs:      shards(4),
		says:      map[string]string{"": "sharding strategy queue instead of equal-distribution"},
		artifacts: 8, secondary: []string{"coverage"}, exported: []string{"VERSION"}, tests: 96, covered: true, slow: true,
	},
	"python-lib": {
		images:    []string{"python:3"},
		jobs:      shards(3),
		says:      map[string]string{"": "sharding strategy timing instead of stability"},
		artifacts: 3, exported: []string{"LEDGER_VERSION"}, reports: 3, tests: 276,
	},
	"node-app": {
		images:    []string{"node:18"},
		jobs:      []string{"markdown", "search", "server"},
		says:      map[string]string{"": "ℹ fail 0"},
		artifacts: 3, reports: 3, tests: 119,
	},
	"node-tables": {
		images:  []string{"node:18"},
		jobs:    shards(3),
		says:    map[string]string{"": "sharding strategy queue instead of equal-distribution"},
		reports: 3, tests: 18,
	},
	"handbook": {
		images: []string{"busybox:latest", "python:3"},
		jobs:   []string{"test", "site", "links"},
		says: map[string]string{
			"test":  "15 passed in ",
			"site":  "rendered 5 pages, kept 0", // the first build has no cache
			"links": "rendered 0 pages, kept 5\n",
		},
		artifacts: 2, secondary: []string{"print"}, exported: []string{"EDITION", "PAGES"}, reports: 1,
	},
}

func shards(n int) (ids []string) {
	for i := range n {
		ids = append(ids, "BuildFanoutShard"+string(rune('1'+i)))
	}
	return ids
}

// TestTheExamplesBuild runs each example as its users would, pushed, and looks at what it leaves.
func TestTheExamplesBuild(t *testing.T) {
	t.Parallel()
	for name, want := range examples {
		t.Run(name, func(t *testing.T) {
			if want.slow && os.Getenv("RUNNER_SLOW") == "" {
				t.Skip("four shards compile, which takes as long as all others together; make demo builds it, too. Set RUNNER_SLOW=1")
			}
			images(t, want.images...)
			git := newGitServer(t)
			repo, url, _ := git.repo(name, nil)
			if err := os.CopyFS(repo.Dir, os.DirFS(filepath.Join("../../examples", name))); err != nil {
				t.Fatal(err)
			}
			commit, err := repo.Commit(t.Context(), "the example")
			if err != nil {
				t.Fatal(err)
			}
			d := newDaemon(t, online+"slots: 2\n", project(name, url))
			b := d.settled(d.ended(d.push(url, commit), "SUCCEEDED"))
			want.compare(t, d, b)
			if name == "handbook" {
				rendersWhatChanged(t, d, repo.Dir, url, func() string {
					commit, err := repo.Commit(t.Context(), "a page more")
					if err != nil {
						t.Fatal(err)
					}
					return commit
				})
			}
		})
	}
}

// compare holds a build against what it must leave.
func (want example) compare(t *testing.T, d *daemon, b client.Build) {
	t.Helper()
	if len(b.Warnings) > 0 {
		t.Errorf("the build warns: %q", b.Warnings)
	}
	var jobs []string
	exported := map[string]bool{}
	for _, j := range b.Jobs {
		jobs = append(jobs, j.ID)
		if j.Status != "SUCCEEDED" {
			t.Errorf("%s ended %s: %s", j.ID, j.Status, j.Message)
		}
		for _, v := range j.Exported {
			exported[v.Name] = v.Value != ""
		}
		says := want.says[j.ID] + want.says[""]
		if log := d.jobLog(b.ID, j.ID); !strings.Contains(log, says) {
			t.Errorf("%s says nowhere %q:\n%s", j.ID, says, log)
		}
	}
	if !slices.Equal(jobs, want.jobs) {
		t.Errorf("the jobs are %q, want %q", jobs, want.jobs)
	}
	if got := slices.Sorted(maps.Keys(exported)); !slices.Equal(got, want.exported) {
		t.Errorf("exported are %q, want %q", got, want.exported)
	}
	sets, err := d.Artifacts(t.Context(), b.ID)
	if err != nil || len(sets) != want.artifacts {
		t.Errorf("%d sets of artifacts (%v), want %d", len(sets), err, want.artifacts)
	}
	for _, id := range want.secondary {
		if !slices.ContainsFunc(sets, func(s client.ArtifactSet) bool { return s.Artifact == id && len(s.Files) > 0 }) {
			t.Errorf("no secondary artifact %q has files", id)
		}
	}
	if got := b.Tests; want.tests > 0 && (got.Total != want.tests || got.Passed != want.tests || want.covered != (got.Coverage != nil)) {
		t.Errorf("the tests came to %+v, want %d that pass, coverage %t", got, want.tests, want.covered)
	}
	reports, err := d.Reports(t.Context(), b.ID)
	if err != nil || want.reports > 0 && len(reports) != want.reports {
		t.Errorf("%d sets of reports (%v), want %d", len(reports), err, want.reports)
	}
}

// rendersWhatChanged adds a page to the handbook: the others come from the cache that an earlier build left.
func rendersWhatChanged(t *testing.T, d *daemon, dir, url string, commit func() string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "pages", "lunch.md"), []byte("# Lunch\n\nAt noon.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := d.ended(d.push(url, commit()), "SUCCEEDED")
	if log := d.jobLog(b.ID, "site"); !strings.Contains(log, "rendered 1 pages, kept 5") {
		t.Errorf("pages that did not change were rendered again:\n%s", log)
	}
}
