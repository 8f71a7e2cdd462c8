package outbox

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAnswers(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	h := func(pairs ...string) http.Header {
		h := make(http.Header)
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	for _, c := range []struct {
		code    int
		header  http.Header
		refused bool
		after   time.Duration
	}{
		{500, nil, false, 0},
		{502, h("Retry-After", "30"), false, 30 * time.Second},
		{503, h("Retry-After", now.Add(time.Minute).UTC().Format(http.TimeFormat)), false, time.Minute},
		{429, nil, false, 0},
		{429, h("Retry-After", "999999999999999999999"), false, 0},
		{429, h("Retry-After", "99999999"), false, mostAsked},
		{429, h("Retry-After", "-5"), false, time.Second},
		{403, nil, true, 0},
		{403, h("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1800000090"), false, 90 * time.Second},
		{403, h("X-RateLimit-Remaining", "17", "X-RateLimit-Reset", "1800000090"), true, 0},
		{429, h("RateLimit-Remaining", "0", "RateLimit-Reset", "12"), false, 12 * time.Second},
		{401, nil, true, 0},
		{404, nil, true, 0},
		{422, h("Retry-After", "30"), true, 0},
		{301, nil, true, 0},
	} {
		err := Answer(c.code, c.header, "forge.example, status of api#7", "look at its token", now)
		var later *Later
		if isRefused(err) != c.refused || !c.refused && (!errors.As(err, &later) || later.After != c.after) {
			t.Errorf("%d %v: %#v, want refused=%v after %s", c.code, c.header, err, c.refused, c.after)
		}
		if c.refused && !strings.HasSuffix(err.Error(), "; look at its token") {
			t.Errorf("%d: %q does not say what to do", c.code, err)
		}
	}
	if err := Answer(201, nil, "x", "y", now); err != nil {
		t.Error(err)
	}
}
