package scheduler

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner"
)

// PushedImage is the image whose push to a registry made a trigger. Its parts have the form that names of images have.
type PushedImage struct {
	Registry string `json:"registry"`         // kind of the registry: "distribution"
	Name     string `json:"name"`             // without tag: "registry.example.com/team/app"
	Tag      string `json:"tag"`              // that was pushed
	Digest   string `json:"digest,omitempty"` // empty where the registry does not tell
}

// registryVars are set for builds that the push of an image made, and for their retries.
func registryVars(t *Trigger) []variable {
	if t.Image == nil {
		return nil
	}
	return []variable{
		{name: "RUNNER_REGISTRY_IMAGE", value: t.Image.Name},
		{name: "RUNNER_REGISTRY_TAG", value: t.Image.Tag},
		{name: "RUNNER_REGISTRY_DIGEST", value: t.Image.Digest},
	}
}

// What is looked at for the build that pushed an image.
const (
	// pushersLooked bounds a project's newest builds: a registry tells of a push within moments, or again for some hours.
	pushersLooked = 50
	// pushToldWithin is how soon after its end a build's push is told of by a registry that names no digest.
	pushToldWithin = time.Minute
)

// PushedBy is the build of a project that pushed an image, or that runs and pushes such a tag; "" where none did. A push is told of
// before the build that made it has recorded the digest, so that of one which runs the name counts.
func (s *Scheduler) PushedBy(project string, image PushedImage, now time.Time) (build string, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		p, err := s.projectIn(tx, project)
		if err != nil || p == nil {
			return err
		}
		if _, listed := p.Push[runner.RegistryOf(image.Name)]; !listed {
			return nil // its builds push nothing there
		}
		looked := 0
		var trouble error
		err = eachBuild(tx, Filter{Project: project}, noCursor, func(b *Build) (more bool) {
			var is bool
			if is, trouble = s.pushes(tx, b, image, now); is {
				build = b.ID()
			}
			looked++
			return trouble == nil && build == "" && looked < pushersLooked
		})
		return errors.Join(err, trouble)
	})
	return build, err
}

func (s *Scheduler) pushes(tx *bbolt.Tx, row *Build, image PushedImage, now time.Time) (bool, error) {
	if withheld(row) != "" {
		return false, nil
	}
	key := buildKey(row.Project, row.Number)
	jobs, err := jobsOf(tx, key)
	if err != nil {
		return false, err
	}
	running := false
	for i := range jobs {
		running = running || jobs[i].State == JobLeased
		if jobs[i].TakenFrom == "" && jobs[i].pushed(image, now) {
			return true, nil
		}
	}
	if !running {
		return false, nil
	}
	b, err := s.load(tx, key)
	if err != nil || b.Plan == nil {
		return false, err
	}
	for i := range min(len(jobs), len(b.Plan.Jobs)) {
		if jobs[i].State == JobLeased && slices.ContainsFunc(b.Plan.Jobs[i].Images, func(is buildspec.Image) bool { return willPush(b, &is, image) }) {
			return true, nil
		}
	}
	return false, nil
}

// pushed tells whether a job's attempts recorded that they pushed an image.
func (j *Job) pushed(image PushedImage, now time.Time) bool {
	for i := range j.Attempts {
		soon := now.Sub(j.Attempts[i].EndedAt) < pushToldWithin
		for _, is := range j.Attempts[i].Images {
			if !is.Pushed || repositoryOf(is.Repository) != repositoryOf(image.Name) {
				continue
			}
			if is.Digest == image.Digest || image.Digest == "" && soon && slices.Contains(is.Tags, image.Tag) {
				return true
			}
		}
	}
	return false
}

// willPush tells whether an image of a build gets a tag.
func willPush(b *Build, is *buildspec.Image, image PushedImage) bool {
	tags, _, err := buildspec.ImageTags(is.Tags, tagValues(b))
	return err == nil && is.Push != "" && repositoryOf(is.Push) == repositoryOf(image.Name) && slices.Contains(tags, image.Tag)
}

// repositoryOf is an image's name with its registry, also where that may be left out.
func repositoryOf(name string) string {
	server := runner.RegistryOf(name)
	return server + "/" + strings.TrimPrefix(name, server+"/")
}
