package scheduler

import (
	"go.etcd.io/bbolt"
)

// lastPushBuilds is how many of a project's builds are looked through for one that pushed an image: an older one has few layers
// that are still of use.
const lastPushBuilds = 50

// lastPush is the digest of the image of a name that the project's builds pushed last to a repository; "" where none of the newest
// did, or that cannot be read. Trusted builds alone push.
func (s *Scheduler) lastPush(project, image, repository string) (digest string) {
	err := s.db.View(func(tx *bbolt.Tx) error {
		left := lastPushBuilds
		var inner error
		err := eachBuild(tx, Filter{Project: project}, noCursor, func(b *Build) (more bool) {
			jobs, err := jobsOf(tx, buildKey(b.Project, b.Number))
			if err != nil {
				inner = err
				return false
			}
			digest = pushedBy(jobs, image, repository)
			left--
			return digest == "" && left > 0
		})
		if err != nil {
			return err
		}
		return inner
	})
	if err != nil {
		s.log.Warn("looking for the last push of an image", "project", project, "image", image, "error", err)
	}
	return digest
}

// pushedBy is the digest of an image that one of the jobs pushed.
func pushedBy(jobs []Job, image, repository string) string {
	for i := range jobs {
		for _, a := range jobs[i].Attempts {
			for _, is := range a.Images {
				if is.Pushed && is.Name == image && is.Repository == repository {
					return is.Digest
				}
			}
		}
	}
	return ""
}
