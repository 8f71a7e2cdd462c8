package tests

import "testing"

func TestRerun(t *testing.T) {
	for name, tt := range map[string]struct {
		c        Case
		commands string
		want     string
	}{
		"go":                {Case{Class: "example.com/m/store", Name: "TestOpen/no_file", File: "store/open_test.go"}, "make", "go test -run '^TestOpen$/^no_file$' ./store"},
		"go, no file":       {Case{Class: "example.com/m/store", Name: "TestOpen"}, "go test ./...", "go test -run '^TestOpen$' example.com/m/store"},
		"go, broken":        {Case{Class: "example.com/m/store", Name: "build", Build: true}, "go test ./...", "go test example.com/m/store"},
		"pytest":            {Case{Class: "tests.test_a.TestB", Name: "test_c[1-x y]", File: "tests/test_a.py"}, "python -m pytest", "pytest 'tests/test_a.py::TestB::test_c[1-x y]'"},
		"unittest":          {Case{Class: "test_a.B", Name: "test_c", File: "test_a.py"}, "python -m unittest", RerunWhole},
		"jest":              {Case{Name: "adds 1 + 1", File: "src/a.test.ts"}, "npx jest", `npx jest src/a.test.ts -t 'adds 1 \+ 1'`},
		"a script's runner": {Case{Name: "adds", File: "src/a.test.ts"}, "npm test", RerunWhole},
		"maven":             {Case{Class: "com.example.ATest", Name: "adds()"}, "mvn verify", "mvn test -Dtest='com.example.ATest#adds'"},
		"hostile":           {Case{Class: "x.test_a", Name: "a'; rm -rf /\x1b[2J\n#", File: "test_a.py"}, "pytest", `pytest 'test_a.py::a'\''; rm -rf /[2J#'`},
		"an option":         {Case{Name: "x", File: "--evil.py"}, "pytest", RerunWhole},
		"shell":             {Case{Name: "x", File: "a.sh"}, "sh a.sh", RerunWhole},
	} {
		if got := Rerun(&tt.c, tt.commands); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
