package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestNothingTurnsTheTextOfAPage: a title could have "by ada" read as something else.
func TestNothingTurnsTheTextOfAPage(t *testing.T) {
	const letters = "<p>שלום “quoted” … \u200f</p>"
	for _, pad := range []string{"", strings.Repeat("x", leastZipped)} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		w := httptest.NewRecorder()
		sendHTML(w, &visit{Request: r, began: time.Now()}, http.StatusOK, []byte(letters+"\u202etitle\u202c by \u2066ada\u2069\u202a\u202b\u202d\u2067\u2068"+pad))
		if got := w.Body.String(); got != letters+"title by ada"+pad {
			t.Errorf("%+q", got)
		}
	}
}
