package pack

import "errors"

var errDelta = errors.New("malformed delta")

// deltaSizes reads the two sizes at the head of a delta: of the base it fits, and of what it makes.
func deltaSizes(delta []byte) (base, target int64, rest []byte, ok bool) {
	base, n, ok := parseVarint(delta)
	if !ok {
		return 0, 0, nil, false
	}
	target, m, ok := parseVarint(delta[n:])
	return base, target, delta[n+m:], ok
}

func parseVarint(b []byte) (v int64, n int, ok bool) {
	for shift := 0; n < len(b) && shift <= 56; shift += 7 {
		c := b[n]
		n++
		v |= int64(c&127) << shift
		if c&128 == 0 {
			return v, n, true
		}
	}
	return 0, 0, false
}

// applyDelta makes the target of a delta from its base. A target above limit (if positive) is refused before
// memory is taken for it.
func applyDelta(base, delta []byte, limit int64) ([]byte, error) {
	from, to, ops, ok := deltaSizes(delta)
	if !ok || from != int64(len(base)) {
		return nil, errDelta
	}
	if limit > 0 && to > limit {
		return nil, &LimitError{What: OneObject, Got: to, Limit: limit}
	}
	// An operation makes at most 16 MiB from one byte and more, so a small delta that claims a huge target lies.
	if to > int64(len(ops))<<24 {
		return nil, errDelta
	}
	out := make([]byte, 0, to)
	for len(ops) > 0 {
		op := ops[0]
		ops = ops[1:]
		if op == 0 {
			return nil, errDelta
		}
		var piece []byte
		if op&128 != 0 {
			piece, ops, ok = copyOperation(base, op, ops)
		} else if ok = int(op) <= len(ops); ok {
			piece, ops = ops[:op], ops[op:]
		}
		if !ok || int64(len(out)+len(piece)) > to {
			return nil, errDelta
		}
		out = append(out, piece...)
	}
	if int64(len(out)) != to {
		return nil, errDelta
	}
	return out, nil
}

// copyOperation decodes "copy SIZE bytes at OFFSET of the base"; op says which of their bytes are present.
func copyOperation(base []byte, op byte, ops []byte) (piece, rest []byte, ok bool) {
	var field [7]byte
	for i := range field {
		if op&(1<<i) == 0 {
			continue
		}
		if len(ops) == 0 {
			return nil, nil, false
		}
		field[i], ops = ops[0], ops[1:]
	}
	offset := int64(field[0]) | int64(field[1])<<8 | int64(field[2])<<16 | int64(field[3])<<24
	size := int64(field[4]) | int64(field[5])<<8 | int64(field[6])<<16
	if size == 0 {
		size = 0x10000
	}
	if offset+size > int64(len(base)) {
		return nil, nil, false
	}
	return base[offset : offset+size], ops, true
}
