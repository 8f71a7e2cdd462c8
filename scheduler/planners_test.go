package scheduler

import (
	"fmt"
	"slices"
	"testing"
)

func TestNextPlanningIsFair(t *testing.T) {
	many := func(project string, n int) (out []string) {
		for range n {
			out = append(out, project)
		}
		return out
	}
	tests := []struct {
		name    string
		running []string // projects, one for each build
		waiting []string // likewise, in the order in which they came
		want    []string // the projects that are given turns
	}{
		{"one project alone leaves room", nil, many("a", 20), []string{"a", "a"}},
		{"a project whose remote is silent lets others past", many("a", 2), []string{"a", "a", "b"}, []string{"b"}},
		{"the project that plans less goes first", []string{"a"}, []string{"a", "b", "b"}, []string{"b", "a", "b"}},
		{
			"the last place is kept for a project that plans nothing",
			[]string{"a", "a", "b", "b", "c", "c", "d"}, []string{"d", "d", "e"}, []string{"e"},
		},
		{
			"no place, no turn",
			[]string{"a", "a", "b", "b", "c", "c", "d", "e"}, []string{"f"}, nil,
		},
		{"each project has its turn before one has its second", nil, []string{"a", "a", "a", "b", "c"}, []string{"a", "b", "c", "a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all, served := make(map[string]*planning), make(map[string]uint64)
			for i, project := range slices.Concat(tt.running, tt.waiting) {
				id := fmt.Sprintf("%s#%d", project, i)
				all[id] = &planning{build: id, project: project, seq: uint64(i), running: i < len(tt.running)}
			}
			var got []string
			for p := nextPlanning(all, served); p != nil; p = nextPlanning(all, served) {
				got = append(got, p.project)
				p.running, served[p.project] = true, uint64(len(got))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("turns went to %v, want %v", got, tt.want)
			}
		})
	}
}

func TestManyProjectsTakeTurnsWithOnePlace(t *testing.T) {
	all, served := make(map[string]*planning), make(map[string]uint64)
	for i := range planners - 1 {
		id := fmt.Sprintf("silent%d#1", i)
		all[id] = &planning{build: id, project: fmt.Sprintf("silent%d", i), running: true}
	}
	for i := range 6 {
		id := fmt.Sprintf("a#%d", i)
		all[id] = &planning{build: id, project: "a", seq: uint64(i)}
	}
	all["b#1"] = &planning{build: "b#1", project: "b", seq: 100}
	var got []string
	for turn := range uint64(3) {
		p := nextPlanning(all, served)
		got = append(got, p.project)
		served[p.project] = turn + 1
		delete(all, p.build)
	}
	if want := []string{"a", "b", "a"}; !slices.Equal(got, want) {
		t.Errorf("turns went to %v, want %v", got, want)
	}
}
