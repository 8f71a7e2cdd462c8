package buildspec

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The grammar of on-failure: RETRY. Without a count it is three times, without a pattern whatever the message says.
const (
	retryWord    = "RETRY"
	retryCount   = 3
	retryPattern = ".*"
	maxRetry     = 100   // CodeBuild's bound
	maxPattern   = 1_000 // characters; a longer one would cost more to compile than it can be worth
)

// parseRetry reads RETRY, RETRY-count, RETRY-pattern and RETRY-count-pattern, the word in any case. ok is false for
// a text that is none of them; then err says why where it begins like one.
func parseRetry(text string) (r Retry, ok bool, err error) {
	word, rest, dash := strings.Cut(text, "-")
	if !strings.EqualFold(word, retryWord) {
		return Retry{}, false, nil
	}
	r = Retry{Count: retryCount, Pattern: retryPattern}
	if !dash {
		return r, true, nil
	}
	number, pattern, more := strings.Cut(rest, "-")
	if isNumber(number) {
		count, err := strconv.Atoi(number)
		if err != nil || count > maxRetry {
			return Retry{}, false, fmt.Errorf("the count must be from 0 to %d, but this is %s", maxRetry, shorten(number))
		}
		r.Count = count
		if !more {
			return r, true, nil
		}
		rest = pattern
	}
	switch {
	case rest == "":
		return Retry{}, false, fmt.Errorf("nothing stands behind the dash")
	case len(rest) > maxPattern:
		return Retry{}, false, fmt.Errorf("the pattern has %d characters, and may have %d", len(rest), maxPattern)
	}
	if _, err := regexp.Compile(rest); err != nil {
		return Retry{}, false, fmt.Errorf("the pattern is not RE2: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	r.Pattern = rest
	return r, true, nil
}

func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
