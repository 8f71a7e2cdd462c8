package artifacts

// cacheUse is what caches take of the disk. A layer that several of them have is there once, and counts in each scope that
// has it.
type cacheUse struct {
	all    int64
	scopes map[string]int64
	layers map[string]int    // by id: in how many caches it is
	shares map[[2]string]int // by scope and id
}

func newCacheUse(rows []*cacheRow) *cacheUse {
	u := &cacheUse{scopes: map[string]int64{}, layers: map[string]int{}, shares: map[[2]string]int{}}
	for _, row := range rows {
		scope := row.meta().Scope
		for _, l := range row.units() {
			if u.layers[l.ID]++; u.layers[l.ID] == 1 {
				u.all += l.Bytes
			}
			share := [2]string{scope, l.ID}
			if u.shares[share]++; u.shares[share] == 1 {
				u.scopes[scope] += l.Bytes
			}
		}
	}
	return u
}

// drop takes a cache away, and returns by how much the disk has more free.
func (u *cacheUse) drop(row *cacheRow) (freed int64) {
	scope := row.meta().Scope
	for _, l := range row.units() {
		if u.layers[l.ID]--; u.layers[l.ID] == 0 {
			u.all -= l.Bytes
			freed += l.Bytes
		}
		share := [2]string{scope, l.ID}
		if u.shares[share]--; u.shares[share] == 0 {
			u.scopes[scope] -= l.Bytes
		}
	}
	return freed
}

// units are what a cache has on the disk: its layers, or its tar.
func (row *cacheRow) units() []cacheLayer {
	if len(row.Layers) > 0 {
		return row.Layers
	}
	return []cacheLayer{{row.ID, row.Bytes}}
}
