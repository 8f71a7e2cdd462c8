package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// SecretOwner says whose builds may have a secret.
func SecretOwner(project string) string {
	if project == "*" {
		return "every project"
	}
	return "project " + oneLine(project)
}

// givenTo says which builds of its projects may have a secret.
func givenTo(refs []string) string {
	if len(refs) == 0 {
		return "trusted builds"
	}
	return "trusted builds, " + oneLine(strings.Join(refs, " "))
}

// SecretChanged tells what setting a secret did.
func SecretChanged(o *Output, c client.SecretChanged) {
	s := c.Secret
	what, version := "is set", ""
	if c.Same {
		what = "is so already"
	}
	if len(s.Versions) > 0 {
		version = ", version " + oneLine(s.Versions[0].ID)
	}
	o.Lines(fmt.Sprintf("secret %s %s%s; given to %s of %s", oneLine(s.Name), what, version, givenTo(s.Refs), SecretOwner(s.Project)))
}

// Secrets lists secrets, one a line.
func Secrets(o *Output, secrets []client.Secret, now time.Time) {
	t := Table{Head: []string{"name", "project", "given to", "version", "set", "by"}}
	for _, s := range secrets {
		version, set, by := "", "", ""
		if len(s.Versions) > 0 {
			v := s.Versions[0]
			version, set, by = v.ID, Ago(v.Created, now), v.By
		}
		t.Row(oneLine(s.Name), oneLine(s.Project), givenTo(s.Refs), oneLine(version), set, oneLine(by))
	}
	t.Print(o)
}

// SecretVersions lists the versions of secrets, newest first.
func SecretVersions(o *Output, secrets []client.Secret, now time.Time) {
	t := Table{Head: []string{"project", "version", "stage", "set", "by"}}
	for _, s := range secrets {
		for _, v := range s.Versions {
			t.Row(oneLine(s.Project), oneLine(v.ID), v.Stage, Ago(v.Created, now), oneLine(v.By))
		}
	}
	t.Print(o)
}

// SecretEvents lists records of the audit log.
func SecretEvents(o *Output, events []client.SecretEvent, now time.Time) {
	t := Table{Head: []string{"when", "what", "who", "secret", "project", "version"}}
	for _, e := range events {
		who, name := e.By, e.Name
		if e.Build != "" {
			who = e.Build + " " + shortRef(e.Ref)
		}
		if e.Field != "" {
			name += ":" + e.Field
		}
		t.Row(Ago(e.At, now), e.Action, oneLine(who), oneLine(name), oneLine(e.Project), oneLine(e.Version))
	}
	t.Print(o)
}
