package artifacts

import (
	"os"

	bolt "go.etcd.io/bbolt"
)

// segments looks from each file among the segments to its row. Whether a row's file is there, and whole, was seen when
// its chunks were read.
func (c *checker) segments() error {
	files, err := c.s.segmentFiles()
	if err != nil {
		return err
	}
	err = c.each(checkRows, named(segmentsBucket), func(_ *bolt.Tx, k, _ []byte) {
		id, _ := number(k)
		delete(files, id)
	})
	for id := range files {
		if _, gone := os.Lstat(c.s.segmentPath(id)); gone == nil && !c.s.has(segmentsBucket, key(id)) {
			c.problem("file %s belongs to no segment; the next start removes it", c.s.segmentPath(id))
		}
	}
	return err
}
