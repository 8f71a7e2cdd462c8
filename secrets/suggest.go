package secrets

import (
	"encoding/json"
	"strings"

	"go.etcd.io/bbolt"
)

// missing is the answer for a name that does not exist for a build. It proposes a near name, among those alone that
// the build could have.
func missing(db *bbolt.DB, who Subject, ref Ref) error {
	text := noSuch(ref.Name).Error()
	if db != nil {
		t, err := resolve(ref)
		if err != nil {
			return err
		}
		names, err := permitted(db, who)
		if err != nil {
			return err
		}
		if near := nearestOf(t.names, names); near != "" {
			return say(ErrNotFound, "%s; did you mean %s?", text, near)
		}
	}
	return say(ErrNotFound, "%s; an admin sets it with: runner secret set NAME --project %s", text, shown(who.Project))
}

// permitted lists the names that a build may have.
func permitted(db *bbolt.DB, who Subject) (names []string, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketSecrets).ForEach(func(k, v []byte) error {
			name, project, _ := splitKey(k)
			if project != who.Project && project != AllProjects {
				return nil
			}
			var r row
			if json.Unmarshal(v, &r) == nil && permits(name, r.Refs, who) == nil {
				names = append(names, name)
			}
			return nil
		})
	})
	return names, err
}

// nearestOf finds the name that differs least from one of those wanted, if it differs little.
func nearestOf(wanted, names []string) string {
	best, least := "", 1<<30
	for _, w := range wanted {
		for _, name := range names {
			d := distance(strings.Trim(w, "/"), strings.Trim(name, "/"))
			if d < least && d <= 1+len(w)/5 {
				best, least = name, d
			}
		}
	}
	return best
}

// distance is the number of inserted, removed or changed letters between two names. Long names are not compared.
func distance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return len(a) + len(b) + 1
	}
	line := make([]int, len(b)+1)
	for j := range line {
		line[j] = j
	}
	for i := range len(a) {
		diagonal := line[0]
		line[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, line[j+1] = line[j+1], min(line[j]+1, line[j+1]+1, diagonal+cost)
		}
	}
	return line[len(b)]
}
