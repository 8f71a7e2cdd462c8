package agent

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestWhatGoTestIs(t *testing.T) {
	for command, want := range map[string]bool{
		"go test": true, " go  test -v": true, "CGO_ENABLED=0 X='a b' Y=\"c d\"e go test -count=1": true, "A= go test": true,
		"go testing": false, "go vet": false, "gotestsum -- -v": false, "echo go test": false, "cd x && go test": false, "A=b echo; go test": false,
	} {
		if got := watchGo(command, "", "run-1") != nil; got != want {
			t.Errorf("%q is go test: %v, want %v", command, got, want)
		}
	}
}

func TestResultsFindTheirItems(t *testing.T) {
	ends := map[string]goEnd{}
	for _, path := range []string{"m", "m/a", "m/b/a", "m/c", "m/x/c", "m/d"} {
		ends[path] = goEnd{outcome: path}
	}
	names := []string{".", "a", "b/a", "c", "m/d/", "nothing", "../x/c"}
	g := &goResults{ends: ends}
	var got []string
	for _, r := range g.results([]int{6, 5, 4, 3, 2, 1, 0}, names) {
		got = append(got, names[r.Item]+" "+r.Outcome)
	}
	if want := []string{"../x/c m/x/c", "m/d/ m/d", "c m/c", "b/a m/b/a", "a m/a", ". m"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if got := (&goResults{ends: map[string]goEnd{"m/a": {}, "n/a": {}}}).results([]int{0}, []string{"a"}); got != nil {
		t.Errorf("two packages with one name are %v, want nothing", got)
	}
}

// goModule writes a module with a package for each end that go test knows.
func goModule(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not installed")
	}
	dir := t.TempDir()
	test := func(body string) string {
		return "package p\n\nimport \"testing\"\n\nfunc Test(t *testing.T) {" + body + "}\n"
	}
	for name, text := range map[string]string{
		"go.mod":         "module example.com/m\n\ngo 1.21\n",
		"p_test.go":      test(""),
		"good/p_test.go": test("\n\tt.Log(\"seen with -v\")\n"),
		"bad/p_test.go":  test("\n\tt.Error(\"no\")\n"),
		"dead/p_test.go": test("\n\tpanic(\"boom\")\n"),
		"none/p.go":      "package p\n",
		"odd/p_test.go":  test("\n\tnothing()\n"),
		"lost/p_test.go": "package p\n\nimport \"example.com/m/nowhere\"\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheResultsOfRealPackages(t *testing.T) {
	dir := goModule(t)
	names := []string{".", "bad", "dead", "good", "lost", "none", "odd"}
	want := []string{outcomePassed, outcomeFailed, outcomeFailed, outcomePassed, outcomeBroken, outcomePassed, outcomeBroken}
	items := []int{0, 1, 2, 3, 4, 5, 6}
	for _, flags := range [][]string{nil, {"-v"}, {"-cover"}} {
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		g := watchGo("go test", "", "run-1")
		g.to = out
		args := append([]string{"test"}, flags...)
		for _, name := range names {
			args = append(args, "./"+name)
		}
		cmd := exec.Command("go", args...)
		var plain bytes.Buffer
		cmd.Dir, cmd.Stdout, cmd.Env = dir, writers{&plain, g}, append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
		_ = cmd.Run()
		if passed, err := os.ReadFile(out.Name()); err != nil || !bytes.Equal(passed, plain.Bytes()) {
			t.Errorf("what it printed was not passed on as it was: %v", err)
		}
		var got []string
		for _, r := range g.results(items, names) {
			got = append(got, r.Outcome)
			if r.Item == 1 && r.Outcome == outcomeFailed && (r.Millis < 0 || r.Millis > 60_000) {
				t.Errorf("it took %d ms", r.Millis)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("go test %v ended %q, want %q\n%s", flags, got, want, &plain)
		}
	}
}

// writers cuts what is written into small pieces for the second.
type writers struct {
	all *bytes.Buffer
	cut *goResults
}

func (w writers) Write(text []byte) (int, error) {
	for piece := range slices.Chunk(text, 7) {
		if _, err := w.cut.Write(piece); err != nil {
			return 0, err
		}
	}
	return w.all.Write(text)
}
