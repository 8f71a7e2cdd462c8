package artifacts

// CacheTotals is what all caches are together.
type CacheTotals struct {
	Caches       int
	Bytes, Hits  int64
	SavedSeconds float64 // by all hits of those that are kept
}

// totalsPage is how many caches one transaction reads for CacheTotals.
const totalsPage = 200

// CacheTotals adds the caches up, in transactions that are short.
func (s *Store) CacheTotals() (t CacheTotals, err error) {
	for cursor := ""; ; {
		page, next, err := s.Caches(cursor, totalsPage)
		if err != nil {
			return t, err
		}
		for i := range page {
			t.Caches++
			t.Bytes += page[i].Bytes
			t.Hits += page[i].Hits
			t.SavedSeconds += page[i].Saved()
		}
		if cursor = next; cursor == "" {
			return t, nil
		}
	}
}

// Saved is how many seconds the hits of a cache have spared, restoring and saving it subtracted.
func (c *CacheInfo) Saved() float64 { return c.Earned.PerHit.Seconds() * float64(c.Hits) }
