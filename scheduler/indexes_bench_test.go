package scheduler

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// BenchmarkBuilds reads a page of builds among ten thousand, of which ten, the oldest, are FAULTs.
func BenchmarkBuilds(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "state.db"))
	const n = 10_000
	for i := 0; i < n; i += 1000 {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			for k := range 1000 {
				row := Build{Project: fmt.Sprint("p", k%20), Status: Succeeded, Ref: "refs/heads/main", Phases: make([]Phase, 4), Created: time.Now()}
				if i+k < 10 {
					row.Status = Fault
				}
				if err := newBuild(tx, &row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, cursor string
		filter       Filter
		want         int
	}{
		{"all", "", Filter{}, 50},
		{"middle", "b5000", Filter{}, 50},
		{"project-middle", "b5000", Filter{Project: "p7"}, 50},
		{"status", "", Filter{Status: Fault}, 10},
		{"project-and-status", "", Filter{Project: "p7", Status: Fault}, 1},
		{"running", "", Filter{Status: InProgress}, 0},
		{"project-and-ref", "", Filter{Project: "p7", Ref: "refs/heads/main"}, 50},
		{"sifted", "", Filter{Text: "no title says this"}, 0}, // maxSifted of them
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if page, _, err := s.Builds(c.filter, c.cursor, 50); err != nil || len(page) != c.want {
					b.Fatalf("%d builds, want %d: %v", len(page), c.want, err)
				}
			}
		})
	}
}
