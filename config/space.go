package config

import (
	"fmt"
	"strconv"
	"strings"
)

// maxAutoFloor bounds the floor of a disk that nobody set: what a few jobs write before the next look at it.
const maxAutoFloor = 10 << 30

// Bytes is the floor of a disk that has so many bytes in all.
func (s Space) Bytes(disk int64) (int64, error) {
	text := strings.TrimSpace(s.Floor)
	if text == DefaultFloor || text == "" {
		return min(disk/20, maxAutoFloor), nil
	}
	if number, percent := strings.CutSuffix(text, "%"); percent {
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0 && n < 100) {
			return 0, fmt.Errorf("%q is no part of a disk between 0%% and 100%%", clip(s.Floor))
		}
		return int64(float64(disk) * n / 100), nil
	}
	return ParseSize(text)
}
