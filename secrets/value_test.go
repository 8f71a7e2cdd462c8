package secrets

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestWhoMayHaveASecret(t *testing.T) {
	s := newPlace(t).open()
	set(t, s, "default", "api", "value-of-default")
	set(t, s, "everyone", AllProjects, "value-of-everyone")
	set(t, s, "branches", "api", "value-of-branches", "main", "release/*")
	set(t, s, "refs", "api", "value-of-refs", "refs/tags/v*", "refs/pull/*", "refs/runner/submit/*")
	set(t, s, "all", AllProjects, "value-of-all", "**")
	set(t, s, "both", AllProjects, "value-of-all-projects", "**")
	set(t, s, "both", "api", "value-of-api")
	trusted := func(project string) Subject {
		return Subject{Project: project, Ref: "refs/heads/main", Trusted: true}
	}
	untrusted := func(ref string) Subject { return Subject{Project: "api", Ref: ref} }
	fork := Subject{Project: "api", Ref: "refs/pull/7/head", Trusted: true, Fork: true}
	for _, c := range []struct {
		secret string
		who    Subject
		want   string // "" for the value
	}{
		{"default", trusted("api"), ""},
		{"default", trusted("web"), "Parameter does not exist: default"},
		{"default", untrusted("refs/heads/main"), "it is for trusted builds alone"},
		{"default", fork, "pull requests from forks"},
		{"everyone", trusted("web"), ""},
		{"everyone", untrusted("refs/heads/main"), "trusted builds alone"},
		{"branches", trusted("api"), ""},
		{"branches", untrusted("refs/heads/main"), ""},
		{"branches", untrusted("refs/heads/release/1"), ""},
		{"branches", untrusted("refs/heads/release/1/fix"), "refs main release/*"},
		{"branches", untrusted("refs/tags/main"), "--ref refs/tags/main"},
		{"branches", untrusted("refs/heads/refs/heads/main"), "is untrusted"},
		{"branches", untrusted(""), "no ref"},
		{"branches", untrusted("refs/heads/$(reboot)"), "with --ref PATTERN"},
		{"default", untrusted("refs/heads/a;b"), "--ref PATTERN"},
		{"default", untrusted("refs/pull/7/head"), "--ref 'refs/pull/*'"},
		{"refs", untrusted("refs/tags/v1.2"), ""},
		{"refs", untrusted("refs/tags/x"), "is untrusted"},
		{"refs", untrusted("refs/pull/7/head"), ""},
		{"refs", untrusted("refs/runner/submit/12"), ""},
		{"refs", untrusted("refs/runner/submitted"), "is untrusted"},
		{"all", untrusted("refs/merge-requests/1/head"), ""},
		{"all", fork, "pull requests from forks"},
		{"both", trusted("api"), ""},
		{"both", untrusted("refs/heads/x"), "trusted builds alone"}, // the project's own goes first, also when it refuses
		{"both", Subject{Project: "web", Ref: "refs/heads/x"}, ""},
		{"nothing", trusted("api"), "Parameter does not exist: nothing"},
		{"nothing", fork, "pull requests from forks"}, // a stranger learns nothing of names
	} {
		name := fmt.Sprintf("%s to %+v", c.secret, c.who)
		checked := s.Check(t.Context(), c.who, Ref{Name: c.secret})
		got, err := s.Value(t.Context(), c.who, Ref{Name: c.secret})
		if c.want == "" {
			if err != nil || checked != nil || !strings.HasPrefix(got, "value-of-") {
				t.Errorf("%s: %q, %v, check %v", name, got, err, checked)
			}
			continue
		}
		if err == nil || checked == nil || !strings.Contains(err.Error(), c.want) || checked.Error() != err.Error() {
			t.Errorf("%s: %v, check %v, want %s", name, err, checked, c.want)
			continue
		}
		if kind := map[bool]error{true: ErrNotFound, false: ErrForbidden}[strings.HasPrefix(c.want, "Parameter")]; !errors.Is(err, kind) {
			t.Errorf("%s: %v is not %v", name, err, kind)
		}
		if strings.Contains(err.Error(), "value-of") {
			t.Errorf("%s: the value shows in %v", name, err)
		}
	}
	if got := value(t, s, trusted("api"), Ref{Name: "both"}); got != "value-of-api" {
		t.Errorf("of two, the project's own should win: %q", got)
	}
}

func TestVersionsAndStages(t *testing.T) {
	s := newPlace(t).open()
	if _, err := s.Value(t.Context(), trustedAPI, Ref{Name: "pw"}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	for i := 1; i <= 12; i++ {
		set(t, s, "pw", "api", fmt.Sprint("value-", i))
	}
	pinned := "pinned-value"
	change := Change{Name: "pw", Project: "api", Value: &pinned, Version: "a1b2-uuid"}
	if _, err := s.Set(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Set(t.Context(), change); err != nil || !out.Same {
		t.Errorf("the same version again: %+v, %v", out, err)
	}
	another := "another"
	change.Value = &another
	if _, err := s.Set(t.Context(), change); !errors.Is(err, ErrConflict) {
		t.Errorf("another value for a version: %v", err)
	}
	for _, c := range []struct {
		ref  Ref
		want string
	}{
		{Ref{Name: "pw"}, "pinned-value"},
		{Ref{Name: "pw", Stage: "AWSCURRENT"}, "pinned-value"},
		{Ref{Name: "pw", Stage: "AWSPREVIOUS"}, "value-12"},
		{Ref{Name: "pw:AWSPREVIOUS"}, "value-12"},
		{Ref{Name: "pw", Version: "a1b2-uuid"}, "pinned-value"},
		{Ref{Name: "pw:a1b2-uuid"}, "pinned-value"},
		{Ref{Name: "pw:4"}, "value-4"},
		{Ref{Name: "pw", Version: "3"}, ""}, // ten are kept
		{Ref{Name: "pw", Stage: "AWSPENDING"}, ""},
		{Ref{Name: "pw", Version: "4", Stage: "AWSCURRENT"}, ""},
		{Ref{Name: "pw:4", Version: "4"}, ""},
	} {
		got, err := s.Value(t.Context(), trustedAPI, c.ref)
		if got != c.want || (c.want == "") != errors.Is(err, ErrNotFound) {
			t.Errorf("%+v: %q, %v", c.ref, got, err)
		}
	}
	if err := s.Remove(t.Context(), "pw", "api", "admin"); err != nil {
		t.Fatal(err)
	}
	if out := set(t, s, "pw", "api", "anew"); out.Secret.Versions[0].ID != "13" {
		t.Errorf("a version's number means another value now: %+v", out.Secret)
	}
}

func TestReferences(t *testing.T) {
	s := newPlace(t).open()
	for _, name := range []string{"/prod/db", "prod/db", "plain", "with-suffix-AbCdEf", "a+b=c@d"} {
		set(t, s, name, "api", "value of "+name)
	}
	set(t, s, "json", "api", `{"user":"ann","port":5432,"tls":true,"deep":{"a": [1, 2]},"":"empty","big":12345678901234567890,"none":null}`)
	const sm, ssm = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:", "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/"
	for _, c := range []struct{ name, key, want string }{
		{"/prod/db", "", "value of /prod/db"},
		{"prod/db", "", "value of prod/db"},
		{"a+b=c@d", "", "value of a+b=c@d"},
		{sm + "plain", "", "value of plain"},
		{sm + "plain-AbCdEf", "", "value of plain"},
		{sm + "with-suffix-AbCdEf", "", "value of with-suffix-AbCdEf"},
		{sm + "with-suffix-AbCdEf-XyZ123", "", "value of with-suffix-AbCdEf"},
		{sm + "plain-AbCdE_", "", ""},
		{ssm + "prod/db", "", "value of /prod/db"},
		{ssm + "plain", "", "value of plain"},
		{ssm + "plain:1", "", "value of plain"},
		{ssm + "plain:2", "", ""},
		{"/aws/reference/secretsmanager/plain", "", "value of plain"},
		{"json", "user", "ann"},
		{"json", "port", "5432"},
		{"json", "big", "12345678901234567890"},
		{"json", "tls", "true"},
		{"json", "deep", `{"a":[1,2]}`},
		{"json", "User", ""},
		{"plain", "user", ""},
		{"/plain", "", ""},
		{"arn:aws:s3:::bucket", "", ""},
		{"arn:aws:secretsmanager:r:a:secret:", "", ""},
		{"arn:", "", ""},
		{"", "", ""},
		{"../../etc/passwd\x00", "", ""},
		{"json\x00api", "", ""},
		{strings.Repeat("x", 5000), "", ""},
	} {
		got, err := s.Value(t.Context(), trustedAPI, Ref{Name: c.name, Key: c.key})
		if got != c.want || (c.want == "") != errors.Is(err, ErrNotFound) {
			t.Errorf("%q %q: %q, %v", c.name, c.key, got, err)
		}
		// A build that asks for a field that is not there must end before it starts.
		if checked := s.Check(t.Context(), trustedAPI, Ref{Name: c.name, Key: c.key}); fmt.Sprint(checked) != fmt.Sprint(err) {
			t.Errorf("%q %q: check says %v, and the value %v", c.name, c.key, checked, err)
		}
		if err != nil && (strings.Contains(err.Error(), "ann") || strings.ContainsAny(err.Error(), "\x00\n") || len(err.Error()) > 400) {
			t.Errorf("%q: %v", c.name, err)
		}
	}
}

func TestNearNamesAreProposedToThoseWhoMayHaveThem(t *testing.T) {
	s := newPlace(t).open()
	set(t, s, "/prod/db/password", "api", "value")
	set(t, s, "/prod/web/token", "web", "value")
	for _, c := range []struct {
		who        Subject
		name, near string
	}{
		{trustedAPI, "/prod/db/pasword", "did you mean /prod/db/password?"},
		{trustedAPI, "prod/db/password", "did you mean /prod/db/password?"},
		{trustedAPI, "/prod/web/tokn", "runner secret set NAME --project api"},
		{Subject{Project: "api", Ref: "refs/heads/x"}, "/prod/db/pasword", "runner secret set"},
	} {
		if _, err := s.Value(t.Context(), c.who, Ref{Name: c.name}); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), c.near) {
			t.Errorf("%s: %v, want %s", c.name, err, c.near)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	s := newPlace(t).open()
	ok, none := "value", []string(nil)
	refs := func(patterns ...string) *[]string { return &patterns }
	big, zero, latin, empty := strings.Repeat("x", MaxValue+1), "a\x00b", "caf\xe9", ""
	for name, c := range map[string]Change{
		"no name":          {Name: "", Project: "api", Value: &ok},
		"blank":            {Name: "a b", Project: "api", Value: &ok},
		"control":          {Name: "a\x1b[2J", Project: "api", Value: &ok},
		"zero":             {Name: "a\x00*", Project: "api", Value: &ok},
		"unicode":          {Name: "pässword", Project: "api", Value: &ok},
		"colon":            {Name: "a:b", Project: "api", Value: &ok},
		"arn":              {Name: "arn:aws:ssm:r:a:parameter/x", Project: "api", Value: &ok},
		"long":             {Name: strings.Repeat("n", 513), Project: "api", Value: &ok},
		"no project":       {Name: "a", Value: &ok},
		"bad project":      {Name: "a", Project: "a/b", Value: &ok},
		"large":            {Name: "a", Project: "api", Value: &big},
		"zero byte":        {Name: "a", Project: "api", Value: &zero},
		"not utf-8":        {Name: "a", Project: "api", Value: &latin},
		"empty":            {Name: "a", Project: "api", Value: &empty},
		"nothing":          {Name: "a", Project: "api"},
		"pattern":          {Name: "a", Project: "api", Value: &ok, Refs: refs("[")},
		"empty pattern":    {Name: "a", Project: "api", Value: &ok, Refs: refs("")},
		"half a ref":       {Name: "a", Project: "api", Value: &ok, Refs: refs("tags/v1")},
		"numeric version":  {Name: "a", Project: "api", Value: &ok, Version: "12"},
		"stage as version": {Name: "a", Project: "api", Value: &ok, Version: "AWSCURRENT"},
		"version only":     {Name: "a", Project: "api", Refs: &none, Version: "x"},
	} {
		if _, err := s.Set(t.Context(), c); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Set(t.Context(), Change{Name: "a", Project: "api", Refs: refs("main")}); !errors.Is(err, ErrNotFound) {
		t.Errorf("the scope of nothing: %v", err)
	}
	if err := s.Remove(t.Context(), "a", "api", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("removing nothing: %v", err)
	}
}

func FuzzResolve(f *testing.F) {
	for _, seed := range []string{"/a/b:3", "arn:aws:ssm:r:a:parameter/x:1", "arn:aws:secretsmanager:r:a:secret:n-AbCdEf", "arn:::::::", "/aws/reference/secretsmanager/x", ":"} {
		f.Add(seed, "", "")
	}
	f.Fuzz(func(t *testing.T, name, stage, version string) {
		got, err := resolve(Ref{Name: name, Stage: stage, Version: version})
		if err != nil {
			if !errors.Is(err, ErrNotFound) {
				t.Fatalf("%v", err)
			}
			return
		}
		if len(got.names) == 0 || (got.version == "") == (got.stage == "") {
			t.Fatalf("%+v", got)
		}
		for _, n := range got.names {
			if !plainName(n) {
				t.Fatalf("%q", n)
			}
		}
	})
}

func FuzzMatches(f *testing.F) {
	f.Add("refs/pull/*", "refs/pull/7/head")
	f.Add("release/**", "refs/heads/release/1/x")
	f.Add("[", "refs/heads/[")
	f.Fuzz(func(t *testing.T, pattern, ref string) {
		if CheckRefs([]string{pattern}) != nil || !matches(pattern, ref) {
			return
		}
		if ref == "" || pattern != "**" && !strings.HasPrefix(pattern, "refs/") && !strings.HasPrefix(ref, "refs/heads/") {
			t.Fatalf("%q means %q", pattern, ref)
		}
	})
}
