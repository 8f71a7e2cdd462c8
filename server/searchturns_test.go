package server

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// TestNobodyHoldsUpTheSearchesOfOthers: neither a stranger, nor many of them, nor one token.
func TestNobodyHoldsUpTheSearchesOfOthers(t *testing.T) {
	s := newSearchTurns()
	ann, ben := &identity{name: "ann"}, &identity{name: "ben"}
	stranger, other := &identity{nobody: true, address: "192.0.2.1"}, &identity{nobody: true, address: "2001:db8::1"}
	may := func(who *identity) (leave func()) {
		t.Helper()
		leave, err := s.enter(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		return leave
	}
	mayNot := func(why string, who *identity) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := s.enter(ctx, who); err == nil {
			t.Error(why)
		}
	}
	leave := may(stranger)
	mayNot("a stranger searches twice", stranger)
	mayNot("two strangers search", other)
	leaveToo := may(ann)
	mayNot("there is a place too many", ben)
	leave()
	mayNot("one token searches twice", ann)
	leave = may(ben)
	leave()
	leaveToo()
	if may(other)(); len(s.own) != 0 || len(s.all) != 0 {
		t.Errorf("%v and %d places are held by nobody", s.own, len(s.all))
	}
}

// TestNoExpressionTakesLong: what a byte of a line costs grows with the expression.
func TestNoExpressionTakesLong(t *testing.T) {
	d := logged(t, strings.Repeat(strings.Repeat("a", 60<<10)+"\n", 3))
	evil := strings.Repeat("(a|.){0,1000}", 38)
	_, err := d.client().SearchLog(t.Context(), "api#1", client.LogPlace{}, client.LogSearch{Text: evil + "b", Regexp: true})
	if p := asProblem(t, err); p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Detail, "too much work") {
		t.Errorf("%v", err)
	}
	for _, text := range []string{strings.Repeat("é", 500), `^\w{3} +\d{1,2} [\d:]{8} .*(error|fatal|panic): .{0,100}$`, regexp.QuoteMeta(strings.Repeat("(", 249))} {
		in := searchLogIn{Text: text, Regexp: true}
		if _, err := in.pattern(); err != nil {
			t.Errorf("%.40q is refused: %v", text, err)
		}
	}
}

// TestASearchLooksAtItsTimeAfterEachLine: a block of a log has many, each of which may take long.
func TestASearchLooksAtItsTimeAfterEachLine(t *testing.T) {
	looked := 0
	find := func([]byte) int { looked++; return -1 }
	var out client.LogMatches
	s := &search{find: find, limit: 10, until: time.Now().Add(-time.Second), out: &out, lines: splitter{number: 1}}
	if err := s.run(strings.NewReader("one\ntwo\nthree\n")); err != nil || looked != 1 || out.Next != 2 {
		t.Errorf("%v: it looked at %d lines, and goes on with %d", err, looked, out.Next)
	}
}
