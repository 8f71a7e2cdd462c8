package daemon

import (
	"strings"
	"testing"
)

func TestARehearsalKnowsNewerFormats(t *testing.T) {
	for asked, want := range map[string]string{
		formats():   "",
		"state=1":   "",
		"state=99":  "state has format 99",
		"other=1":   "other has format 1",
		"tests=two": "tests has format two",
	} {
		t.Setenv(envRehearsal, asked)
		is, err := Rehearsal()
		if !is || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("asked for %s: %v %v, want %q", asked, is, err, want)
		}
	}
	t.Setenv(envRehearsal, "")
	if is, _ := Rehearsal(); is {
		t.Error("a daemon that is not asked rehearses")
	}
}
