package agent

import (
	"strings"
	"testing"
)

func TestOnlyWantedTestsRemain(t *testing.T) {
	all := []string{"./pkg/a", "tests/api/test_login.py", "tests/test_cart.py", "tests/test_login.py", "web/[id].test.js"}
	for wanted, want := range map[string]string{
		"":                          strings.Join(all, " "),
		"\n \n":                     strings.Join(all, " "),
		"test_login.py":             "tests/api/test_login.py tests/test_login.py",
		"test_*":                    "tests/api/test_login.py tests/test_cart.py tests/test_login.py",
		"tests/test_*":              "tests/test_cart.py tests/test_login.py",
		"tests/**/test_login.py":    "tests/api/test_login.py tests/test_login.py",
		"pkg/a\ntests/test_cart.py": "./pkg/a tests/test_cart.py",
		"./pkg/a":                   "./pkg/a",
		"web/[id].test.js":          "web/[id].test.js",
		"nothing*":                  "!none of the 5 tests matches nothing*",
		"[":                         "!pattern",
	} {
		got, err := onlyWanted(all, wanted)
		said := strings.Join(got, " ")
		if err != nil {
			said = "!" + err.Error()
		}
		if said != want && !(want[0] == '!' && strings.HasPrefix(said, want)) {
			t.Errorf("%q leaves %s, want %s", wanted, said, want)
		}
	}
}
