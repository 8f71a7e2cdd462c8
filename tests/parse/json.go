package parse

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxValue bounds one JSON value that is read as a whole, in bytes: a scenario with its screenshots, a file's lines.
const maxValue = 8 << 20

// errValue tells of a JSON value beyond maxValue.
var errValue = fmt.Errorf("a JSON value is longer than %d MiB", maxValue>>20)

// guard fails when more is read than allowed between two calls of reset, so that the decoder's buffer stays small.
type guard struct {
	src  io.Reader
	room int
}

func (g *guard) Read(p []byte) (int, error) {
	if g.room <= 0 {
		return 0, errValue
	}
	n, err := g.src.Read(p)
	g.room -= n
	return n, err
}

// values reads a JSON document piece by piece.
type values struct {
	*json.Decoder
	guard *guard
}

func newValues(src io.Reader) *values {
	g := &guard{src: src, room: maxValue}
	return &values{json.NewDecoder(g), g}
}

func (v *values) token() (json.Token, error) {
	v.guard.room = maxValue
	t, err := v.Token()
	return t, wholeJSON(err)
}

func (v *values) decode(to any) error {
	v.guard.room = maxValue
	return wholeJSON(v.Decode(to))
}

// wholeJSON says better what the end of a file within a value means.
func wholeJSON(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends within a JSON value; it was cut off while it was written")
	}
	return err
}

// open reads a "[" or "{".
func (v *values) open(want json.Delim) error {
	t, err := v.token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("found %v, expected %q", shorten(fmt.Append(nil, t)), want)
	}
	return nil
}

// skip passes one value, whatever its size; only its strings must fit.
func (v *values) skip() error {
	for depth := 0; ; {
		t, err := v.token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > MaxDepth {
				return fmt.Errorf("values are nested more than %d deep", MaxDepth)
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// object calls field for each key of an object, which must read or skip the value.
func (v *values) object(field func(key string) error) error {
	if err := v.open('{'); err != nil {
		return err
	}
	for v.More() {
		key, err := v.token()
		if err != nil {
			return err
		}
		if err := field(key.(string)); err != nil {
			return err
		}
	}
	_, err := v.token()
	return err
}

// list calls item for each value of a list, which it must read.
func (v *values) list(item func() error) error {
	if err := v.open('['); err != nil {
		return err
	}
	for v.More() {
		if err := item(); err != nil {
			return err
		}
	}
	_, err := v.token()
	return err
}
