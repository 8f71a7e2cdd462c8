package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// sizeUnits are the units a size may bear. The bare letters are binary, as Docker and Kubernetes users expect
// of "512m" and "4G".
var sizeUnits = map[string]float64{
	"": 1, "b": 1,
	"k": 1 << 10, "kib": 1 << 10, "kb": 1e3,
	"m": 1 << 20, "mib": 1 << 20, "mb": 1e6,
	"g": 1 << 30, "gib": 1 << 30, "gb": 1e9,
	"t": 1 << 40, "tib": 1 << 40, "tb": 1e12,
}

// ParseSize reads a size: a number with a unit ("4GiB", "512MB", "1.5 GiB", "2g"), in bytes. Zero needs no
// unit; every other number does, so that "4" is never taken for four bytes.
func ParseSize(s string) (int64, error) {
	number, unit := splitUnit(s)
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return 0, fmt.Errorf("%q is no size", s)
	}
	factor, ok := sizeUnits[strings.ToLower(unit)]
	switch {
	case !ok:
		return 0, fmt.Errorf("%q has an unknown unit", s)
	case n < 0:
		return 0, fmt.Errorf("%q is negative", s)
	case n != 0 && unit == "":
		return 0, fmt.Errorf("%q has no unit", s)
	case n*factor >= math.MaxInt64:
		return 0, fmt.Errorf("%q is more than fits", s)
	}
	return int64(n * factor), nil
}

// ParseDuration reads a duration: numbers with units from ms to d, "60m", "1h30m", "30d". Zero needs no unit.
func ParseDuration(s string) (time.Duration, error) {
	text := strings.ReplaceAll(s, " ", "")
	if text == "0" {
		return 0, nil
	}
	var days time.Duration
	if before, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseFloat(before, 64)
		if err != nil || !(n >= 0 && n < 36500) {
			return 0, fmt.Errorf("%q is no duration", s)
		}
		days, text = time.Duration(n*24*float64(time.Hour)), after
		if text == "" {
			return days, nil
		}
	}
	rest, err := time.ParseDuration(text)
	switch {
	case err != nil && strings.Trim(text, "0123456789.") == "" && text != "":
		return 0, fmt.Errorf("%q has no unit", s)
	case err != nil:
		return 0, fmt.Errorf("%q is no duration", s)
	case rest < 0:
		return 0, fmt.Errorf("%q is negative", s)
	case days > 0 && rest > math.MaxInt64-days:
		return 0, errors.New("more than fits")
	}
	return days + rest, nil
}

func splitUnit(s string) (number, unit string) {
	s = strings.TrimSpace(s)
	end := len(s)
	for end > 0 && (s[end-1] >= 'a' && s[end-1] <= 'z' || s[end-1] >= 'A' && s[end-1] <= 'Z') {
		end--
	}
	return strings.TrimSpace(s[:end]), s[end:]
}
