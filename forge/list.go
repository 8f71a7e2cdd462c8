package forge

import (
	"bytes"
	"encoding/json"
	"errors"
)

// maxListed is how many elements of a list in a payload are read. Anybody can send a body, and an element takes many times
// more memory than the three bytes that it can be written with.
const maxListed = 1000

// list is a list in a payload, of which the first elements are read, and the others passed over.
type list[T any] []T

// UnmarshalJSON reads the first elements.
func (l *list[T]) UnmarshalJSON(text []byte) error {
	*l = nil
	d := json.NewDecoder(bytes.NewReader(text))
	begin, err := d.Token()
	if err != nil || begin == nil { // null
		return err
	}
	if begin != json.Delim('[') {
		return errors.New("it has something else in the place of a list")
	}
	for d.More() && len(*l) < maxListed {
		var element T
		if err := d.Decode(&element); err != nil {
			return err
		}
		*l = append(*l, element)
	}
	return nil
}
