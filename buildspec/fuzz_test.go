package buildspec

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzParse holds the promises of the package over any bytes: no panic, an *Error or a plan, places inside the
// text, nothing that a terminal would obey, and a plan that survives being stored.
func FuzzParse(f *testing.F) {
	eachVector(f, func(_ string, archive *txtar.Archive) {
		f.Add([]byte(textOf(archive, "buildspec.yml")))
	})
	for _, text := range []string{"&a", "*a", "!!str", "? ", "- - -", "[{", "a: |\n", "<<: *a", "%YAML 1.2\n---\n", "\"\\\n", "a: &a\n  <<: *a\n", "!00\t"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := Parse(DefaultFile, data)
		if err != nil {
			var failed *Error
			if !errors.As(err, &failed) || len(failed.Errors()) == 0 || err.Error() == "" {
				t.Fatalf("an error without a problem: %#v", err)
			}
			checkProblems(t, failed.Problems, DefaultFile)
			return
		}
		checkProblems(t, spec.Warnings, DefaultFile)
		plan, err := spec.Plan(Options{})
		if err != nil {
			return // too many jobs, or too large
		}
		checkPlan(t, plan)
	})
}

// checkPlan holds what every plan promises.
func checkPlan(t *testing.T, plan *Plan) {
	t.Helper()
	ids := map[string]bool{}
	for _, j := range plan.Jobs {
		whole := len(j.Phases) == 4 || j.Buildspec != DefaultFile // another file, which nobody read
		if ids[j.ID] || j.ID == "" || j.Name == "" || j.Shell == "" || !whole {
			t.Fatalf("a job is not complete: %+v", j)
		}
		ids[j.ID] = true
	}
	if len(ids) == 0 {
		t.Fatal("a plan without jobs")
	}
	raw, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var back Plan
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&back)
	if err != nil || !reflect.DeepEqual(raw, again) {
		t.Fatalf("a stored plan reads back differently: %v", err)
	}
}

// FuzzPlan holds the promises over what a batch takes from another file, and over limits.
func FuzzPlan(f *testing.F) {
	eachVector(f, func(_ string, archive *txtar.Archive) {
		var main, other []byte
		for _, file := range archive.Files {
			switch {
			case file.Name == "buildspec.yml":
				main = file.Data
			case strings.HasPrefix(file.Name, fileSection):
				other = file.Data
			}
		}
		f.Add(main, other, 0)
	})
	f.Add([]byte("version: 0.2\nbatch: {build-matrix: {dynamic: {buildspec: [a, b], env: {variables: {A: [1, 2]}}}}}\n"), []byte("version: 0.2"), 3)
	f.Fuzz(func(t *testing.T, main, other []byte, most int) {
		spec, err := Parse(DefaultFile, main)
		if err != nil {
			return // FuzzParse judges that
		}
		reads := map[string]int{}
		plan, err := spec.Plan(Options{MaxJobs: most, Read: func(path string) ([]byte, error) {
			if reads[path]++; reads[path] > 1 || strings.HasPrefix(path, "../") || strings.HasPrefix(path, "/") {
				t.Fatalf("%q is read, for time %d", path, reads[path])
			}
			if len(other) == 0 {
				return nil, errors.New("there is no such file")
			}
			return other, nil
		}})
		var failed *Error
		switch {
		case err == nil:
			if most > 0 && len(plan.Jobs) > max(most, 1) {
				t.Fatalf("%d jobs, and %d were allowed", len(plan.Jobs), most)
			}
			checkPlan(t, plan)
		case !errors.As(err, &failed) || len(failed.Errors()) == 0:
			t.Fatalf("an error without a problem: %#v", err)
		}
	})
}

// FuzzReference: what is read of a reference is all of it, and nothing else.
func FuzzReference(f *testing.F) {
	for _, text := range []string{
		"", "a", "a:b", " a:b ", "a:b:c", "a:b::d", "a::c", ":b", "a:b:c:d", "a:::::", "arn:", "arn:aws:secretsmanager:r:1:secret:n",
		"arn:aws:secretsmanager:r:1:secret:n:k:s", "arn:aws:secretsmanager:r:1:secret:n:k::v", "arn:aws:secretsmanager:r:1:secret:",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := ParseSecretRef(text)
		if err != nil {
			return
		}
		if ref.Secret == "" || ref.Stage != "" && ref.Version != "" {
			t.Fatalf("%q is read as %+v", text, ref)
		}
		whole := strings.Join([]string{ref.Secret, ref.Key, ref.Stage, ref.Version}, ":")
		if strings.TrimRight(whole, ":") != strings.TrimRight(strings.TrimSpace(text), ":") {
			t.Fatalf("%q is read as %q", text, whole)
		}
	})
}

// FuzzRetry: a retry is bounded, its pattern compiles, and what it says is what was written.
func FuzzRetry(f *testing.F) {
	for _, text := range []string{
		"RETRY", "retry-", "RETRY-3", "RETRY-0", "RETRY-100", "RETRY-101", "RETRY-8-invalid+", "RETRY-x-3", "Retry-3-", "RETRY--",
		"RETRY-(", "RETRY-00000000000000000000000001", "RETRY_3", "RETRY3", "RETRY-3.5", "ABORT", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, ok, err := parseRetry(text)
		if !ok {
			return
		}
		if err != nil || r.Count < 0 || r.Count > maxRetry || r.Pattern == "" || len(r.Pattern) > maxPattern {
			t.Fatalf("%q is read as %+v, %v", text, r, err)
		}
		if _, err := regexp.Compile(r.Pattern); err != nil {
			t.Fatalf("the pattern of %q does not compile: %v", text, err)
		}
		if !strings.HasSuffix(text, r.Pattern) && r.Pattern != retryPattern {
			t.Fatalf("the pattern of %q is %q", text, r.Pattern)
		}
	})
}

// FuzzRuntimes: any table and any wish end in runtimes that were asked for, or in an error.
func FuzzRuntimes(f *testing.F) {
	f.Add([]byte(runtimesTable), "python", "3.x")
	f.Add([]byte(runtimesTable), "android", "29")
	f.Add([]byte(runtimesTable), "loop", "1")
	f.Add([]byte(runtimesTable), "java", "corretto99")
	f.Add([]byte("runtimes: {a: {versions: {default: {commands: []}}}}"), "a", "latest")
	f.Fuzz(func(t *testing.T, table []byte, name, version string) {
		all, err := SelectRuntimes(table, []Var{{name, version}})
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without a text")
			}
			return
		}
		if len(all) == 0 || all[len(all)-1].Name != name {
			t.Fatalf("%s %s is answered with %+v", name, version, all)
		}
		for _, v := range all[len(all)-1].Env {
			if !demanded.MatchString(v.Value) {
				t.Fatalf("the shell would see %q", v.Value)
			}
		}
	})
}
