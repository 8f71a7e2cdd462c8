package scheduler

import (
	"bytes"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// branchPrefix begins the full ref of a branch.
const branchPrefix = "refs/heads/"

// maxBranches bounds the branches of a project that are told apart: the first by name.
const maxBranches = 5000

// Branches returns the newest build of each branch of a project, the newest first, and the cursor of the next page.
func (s *Scheduler) Branches(project, cursor string, limit int) (page []Build, next string, err error) {
	before := int(^uint(0) >> 1)
	if cursor != "" {
		if _, err := fmt.Sscanf(cursor, "b%d", &before); err != nil {
			return nil, "", fmt.Errorf("cursor %q: expected one that a former page gave: %w", cursor, ErrNotFound)
		}
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		tips := slices.DeleteFunc(branchTips(tx, project), func(n int) bool { return n >= before })
		slices.SortFunc(tips, func(a, b int) int { return b - a })
		if len(tips) > limit {
			tips = tips[:limit]
			next = fmt.Sprintf("b%d", tips[limit-1])
		}
		for _, n := range tips {
			b, err := get[Build](tx, bucketBuilds, buildKey(project, n))
			if err != nil {
				return err
			}
			page = append(page, *b)
		}
		return nil
	})
	return page, next, err
}

// branchTips are the numbers of the newest build of each branch. It jumps over the index of refs from branch to branch,
// whatever number of builds each has.
func branchTips(tx *bbolt.Tx, project string) (tips []int) {
	c, prefix := tx.Bucket(bucketRefs).Cursor(), []byte(refOf(project, branchPrefix))
	k, _ := c.Seek(prefix)
	for bytes.HasPrefix(k, prefix) && len(k) > len(prefix)+8 && len(tips) < maxBranches {
		of := bytes.Clone(k[:len(k)-9]) // without NUL and number
		last, _ := seekBefore(c, append(bytes.Clone(of), 1))
		tips = append(tips, int(decodeNumber(last[len(last)-8:])))
		k, _ = c.Seek(append(of, 1)) // refs have no control characters
	}
	return tips
}
