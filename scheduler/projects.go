package scheduler

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/config"
)

// Project is a project's settings, with where they come from and how far its builds have counted.
type Project struct {
	config.Project
	Managed    string // "file" (read-only here) or "api"
	LastNumber int
}

// DefaultRefs are the refs that the default branch may be: the project's branch, or main or master.
func (p *Project) DefaultRefs() []string {
	if p.Branch != "" {
		return []string{"refs/heads/" + p.Branch}
	}
	return []string{"refs/heads/main", "refs/heads/master"}
}

// Projects returns all projects by name.
func (s *Scheduler) Projects() ([]Project, error) {
	cfg := s.config()
	var out []Project
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, p := range cfg.Projects {
			out = append(out, Project{Project: p, Managed: "file", LastNumber: lastNumber(tx, p.Name)})
		}
		return tx.Bucket(bucketProjects).ForEach(func(k, _ []byte) error {
			p, err := get[config.Project](tx, bucketProjects, k)
			if err != nil {
				return err
			}
			out = append(out, Project{Project: *p, Managed: "api", LastNumber: lastNumber(tx, p.Name)})
			return nil
		})
	})
	slices.SortFunc(out, func(a, b Project) int { return strings.Compare(a.Name, b.Name) })
	return out, err
}

// EachProject visits the settings of all projects, which are to be read alone, and makes no copies: a webhook is compared with
// each.
func (s *Scheduler) EachProject(visit func(p *config.Project)) error {
	cfg := s.config()
	for i := range cfg.Projects {
		visit(&cfg.Projects[i])
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketProjects).ForEach(func(k, _ []byte) error {
			p, err := get[config.Project](tx, bucketProjects, k)
			if err == nil {
				visit(p)
			}
			return err
		})
	})
}

func lastNumber(tx *bbolt.Tx, project string) int {
	if v := tx.Bucket(bucketNumbers).Get([]byte(project)); v != nil {
		return int(binary.BigEndian.Uint64(v))
	}
	return 0
}

// Project returns one project by name.
func (s *Scheduler) Project(name string) (Project, error) {
	cfg := s.config()
	i := slices.IndexFunc(cfg.Projects, func(p config.Project) bool { return p.Name == name })
	var out Project
	err := s.db.View(func(tx *bbolt.Tx) error {
		out.LastNumber = lastNumber(tx, name)
		if i >= 0 {
			out.Project, out.Managed = cfg.Projects[i], "file"
			return nil
		}
		p, err := get[config.Project](tx, bucketProjects, []byte(name))
		if err != nil {
			return err
		}
		out.Project, out.Managed = *p, "api"
		return nil
	})
	if err != nil {
		return Project{}, fmt.Errorf("project %q: %w; runner project ls shows the names", name, err)
	}
	return out, nil
}

// PutProject makes or changes a project of state.db.
func (s *Scheduler) PutProject(ctx context.Context, p config.Project) error {
	if s.inFile(p.Name) {
		return fmt.Errorf("project %q: %w: change it there, then send the daemon SIGHUP", p.Name, ErrManagedByFile)
	}
	p.Fill()
	err := s.db.Update(func(tx *bbolt.Tx) error { return put(tx, bucketProjects, []byte(p.Name), p) })
	s.hub.tell()
	return err
}

// RemoveProject forgets a project's settings. Its builds stay, and its numbers are never used again.
func (s *Scheduler) RemoveProject(ctx context.Context, name string) error {
	if s.inFile(name) {
		return fmt.Errorf("project %q: %w: remove it there, then send the daemon SIGHUP", name, ErrManagedByFile)
	}
	if _, err := s.Project(name); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		return errors.Join(forgetTips(tx, name), tx.Bucket(bucketProjects).Delete([]byte(name)))
	})
	s.hub.tell()
	return err
}

func (s *Scheduler) inFile(name string) bool {
	return slices.ContainsFunc(s.config().Projects, func(p config.Project) bool { return p.Name == name })
}

// checkNames refuses a configuration that names a project which state.db has too.
func (s *Scheduler) checkNames(cfg *config.Config) error {
	var errs []error
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, p := range cfg.Projects {
			if tx.Bucket(bucketProjects).Get([]byte(p.Name)) != nil {
				errs = append(errs, fmt.Errorf("project %q stands in the configuration file and was also made by the API; remove one of the two (runner project rm %s)", p.Name, p.Name))
			}
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// trusted tells whether a trigger may be given what strangers must not have: a push, tag or release on a ref that the
// project lists as protected, or a manual trigger by an admin of a branch or tag. Submits and pull requests never are,
// also not when an admin starts a pull request's ref by hand. The default branch is a full ref, or empty.
func trusted(p *Project, t *Trigger, defaultBranch string) bool {
	if t.Fork || t.PullRequest > 0 {
		return false
	}
	switch t.Kind {
	case KindManual:
		return branchOrTag(t.Ref)
	case KindPush, KindTag, KindRelease:
	default:
		return false
	}
	return protectedRef(p, t.Ref, defaultBranch)
}

// protectedRef tells whether a project lists a ref as protected. The default branch is a full ref, or empty.
func protectedRef(p *Project, ref, defaultBranch string) bool {
	patterns := p.Protected
	if len(patterns) == 0 {
		if p.Branch != "" {
			defaultBranch = "refs/heads/" + p.Branch
		}
		return defaultBranch != "" && ref == defaultBranch
	}
	return slices.ContainsFunc(patterns, func(pattern string) bool { return protects(pattern, ref) })
}

// protects tells whether a pattern means a ref. A short one means branches alone: in most repositories, who may push
// a tag may call it as the protected branch is called.
func protects(pattern, ref string) bool {
	if !strings.HasPrefix(pattern, "refs/") {
		pattern = "refs/heads/" + pattern
	}
	ok, _ := path.Match(pattern, ref)
	return ok
}
