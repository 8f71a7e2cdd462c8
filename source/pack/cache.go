package pack

import "container/list"

// baseCache keeps the objects that deltas were lately made from, least recently used out first.
type baseCache struct {
	limit, held int64
	byKey       map[baseKey]*list.Element
	order       list.List // of *cachedBase, most recently used first
}

type baseKey struct {
	pack   int
	offset int64
}

type cachedBase struct {
	key  baseKey
	kind Type
	data []byte
}

func (c *baseCache) get(k baseKey) ([]byte, Type, bool) {
	e, ok := c.byKey[k]
	if !ok {
		return nil, 0, false
	}
	c.order.MoveToFront(e)
	b := e.Value.(*cachedBase)
	return b.data, b.kind, true
}

func (c *baseCache) put(k baseKey, kind Type, data []byte) {
	if int64(len(data)) > c.limit/4 {
		return
	}
	if c.byKey == nil {
		c.byKey = make(map[baseKey]*list.Element)
	}
	if _, ok := c.byKey[k]; ok {
		return
	}
	c.byKey[k] = c.order.PushFront(&cachedBase{k, kind, data})
	c.held += int64(len(data))
	for c.held > c.limit {
		last := c.order.Back()
		b := c.order.Remove(last).(*cachedBase)
		delete(c.byKey, b.key)
		c.held -= int64(len(b.data))
	}
}
