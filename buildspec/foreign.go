package buildspec

import (
	"fmt"
	"slices"
	"strings"
)

// otherKinds are files that people take for buildspecs, or name by mistake. A file is one of them that has all of the
// keys at its top level, and neither phases nor batch.
var otherKinds = []struct {
	name string
	keys []string
}{
	{"a GitHub workflow", []string{"on", "jobs"}},
	{"a CircleCI configuration", []string{"jobs", "workflows"}},
	{"an Azure pipeline", []string{"pool", "stages"}},
	{"an Azure pipeline", []string{"trigger", "stages"}},
	{"an Azure pipeline", []string{"pool", "steps"}},
	{"a GitLab pipeline", []string{"stages"}},
	{"a Docker Compose file", []string{"services"}},
	{"a CloudFormation template", []string{"Resources"}},
	{"a CodeDeploy application specification", []string{"version", "hooks"}},
	{"a Kubernetes manifest", []string{"apiVersion", "kind"}},
	{"a Travis configuration", []string{"language", "script"}},
	{"a configuration of Runner", []string{"projects"}},
	{"a configuration of Runner", []string{"engines"}},
}

// foreign says in one sentence that a file is plainly something else than a buildspec, instead of all that is wrong
// with it as one.
func foreign(rep *report, root *node) *Error {
	if root == nil || root.kind != mapping || otherCase(root, "phases") != nil || root.get("phases") != nil || root.get("batch") != nil {
		return nil
	}
	for _, kind := range otherKinds {
		at, has := mark{}, 0
		for _, e := range root.entries {
			if slices.Contains(kind.keys, e.key) {
				if has++; has == 1 {
					at = e.at
				}
			}
		}
		if has < len(kind.keys) {
			continue
		}
		at.width = max(1, at.width)
		return rep.src.refuse(at, complaint{
			message: fmt.Sprintf("this looks like %s (%s:), not like a buildspec, which has version: and phases:", kind.name, strings.Join(kind.keys, ":, ")),
			hint:    "name the buildspec instead, or write one: runner init does",
		})
	}
	return nil
}

// otherCase is the entry whose key is a name but for capital letters, nil if there is none.
func otherCase(n *node, name string) *entry {
	for i := range n.entries {
		if e := &n.entries[i]; e.key != name && strings.EqualFold(e.key, name) {
			return e
		}
	}
	return nil
}

func (c *checker) wrongCase(e entry, name string) {
	e.at.width = max(1, e.at.width)
	c.fail(e.at, complaint{
		message: fmt.Sprintf("the key %q must be written in small letters", shorten(e.key)),
		hint:    fmt.Sprintf("write %s:", name),
	})
}

// onlyBatch tells whether a file holds a batch and no phases. Real ones lack the version, and run.
func onlyBatch(n *node) bool {
	return n.get("batch") != nil && n.get("phases") == nil && otherCase(n, "phases") == nil
}
