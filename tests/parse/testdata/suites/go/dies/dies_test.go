package dies

import "testing"

func TestBefore(t *testing.T) {}

func TestDies(t *testing.T) {
	var m map[string]int
	m["a"] = 1
}
