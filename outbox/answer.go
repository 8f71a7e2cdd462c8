package outbox

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Refused is an answer that will not change by asking again. Its text says what to mend.
type Refused struct{ Why string }

// Error says what was refused, and what to do.
func (r *Refused) Error() string { return r.Why }

// Refuse makes a Refused from a sentence.
func Refuse(format string, args ...any) error { return &Refused{fmt.Sprintf(format, args...)} }

func isRefused(err error) bool {
	var r *Refused
	return errors.As(err, &r)
}

// Later is an error that names the pause before the next try.
type Later struct {
	After time.Duration // 0: as after any other error
	Err   error
	// Alone says that this item has to wait for something of our own: it has not failed, and its lane goes on.
	Alone bool
}

func waitsAlone(err error) bool {
	var l *Later
	return errors.As(err, &l) && l.Alone
}

// Error is that of what went wrong.
func (l *Later) Error() string { return l.Err.Error() }

// Unwrap is what went wrong.
func (l *Later) Unwrap() error { return l.Err }

// Answer judges the answer of an HTTP receiver: nil for success, a *Refused for what asking again cannot mend, a *Later where
// a pause is asked for, otherwise an error that is tried again. what says who was told what, as "github.com, status of
// api#7"; mend says what to do about a refusal.
func Answer(code int, header http.Header, what, mend string, now time.Time) error {
	after := asked(header, now)
	said := fmt.Sprintf("%s: answered %d %s", what, code, http.StatusText(code))
	switch {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusTooManyRequests, code == http.StatusForbidden && after > 0, code >= 500, code == http.StatusRequestTimeout,
		code == http.StatusTooEarly, code == http.StatusLocked:
		return &Later{After: after, Err: errors.New(said)}
	}
	return Refuse("%s; %s", said, mend)
}

// asked is the pause that an answer asks for: by Retry-After, in seconds or as a date, or by a limit of requests that is
// used up until a time.
func asked(h http.Header, now time.Time) time.Duration {
	if v := strings.TrimSpace(h.Get("Retry-After")); v != "" {
		if n, err := strconv.Atoi(v); err == nil {
			return seconds(n)
		}
		if at, err := http.ParseTime(v); err == nil {
			return max(at.Sub(now), time.Second)
		}
	}
	for _, prefix := range []string{"X-RateLimit-", "RateLimit-"} {
		if h.Get(prefix+"Remaining") != "0" {
			continue
		}
		at, err := strconv.ParseInt(h.Get(prefix+"Reset"), 10, 64)
		switch {
		case err != nil:
		case at < 1<<30: // seconds from now
			return seconds(int(at))
		default: // a time
			return max(min(time.Unix(at, 0).Sub(now), mostAsked), time.Second)
		}
		return mostPause
	}
	return 0
}

func seconds(n int) time.Duration {
	return time.Duration(max(min(n, int(mostAsked/time.Second)), 1)) * time.Second
}
