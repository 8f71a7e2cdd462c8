package secrets

import (
	"strings"
)

// Stages of a secret's versions, as in Secrets Manager.
const (
	StageCurrent  = "AWSCURRENT"
	StagePrevious = "AWSPREVIOUS"
)

// managerPath is how Parameter Store names a secret of Secrets Manager.
const managerPath = "/aws/reference/secretsmanager/"

// target is what a Ref means: one of the names, in this order, and a version by its id or by its stage.
type target struct {
	names   []string
	version string
	stage   string // "" with a version
}

// resolve reads a Ref. Its Name may be a name, a name with a version or stage as Parameter Store writes it
// ("/prod/db:3"), a name below /aws/reference/secretsmanager/, or the ARN of a secret or a parameter.
func resolve(ref Ref) (target, error) {
	t := target{version: ref.Version, stage: ref.Stage}
	rest := ref.Name
	if len(rest) > 4*MaxName {
		return t, noSuch(ref.Name)
	}
	if strings.HasPrefix(rest, "arn:") {
		var err error
		if t.names, rest, err = arnNames(rest); err != nil {
			return t, err
		}
	} else {
		rest, t.names = cutLabel(rest)
	}
	if rest != "" {
		if t.version != "" || t.stage != "" {
			return t, say(ErrNotFound, "%s names a version twice: in the name, and beside it", shown(ref.Name))
		}
		if rest == StageCurrent || rest == StagePrevious {
			t.stage = rest
		} else {
			t.version = rest
		}
	}
	if t.version != "" && t.stage != "" {
		return t, say(ErrNotFound, "%s names both version %s and stage %s; name one of them", shown(ref.Name), shown(t.version), shown(t.stage))
	}
	if t.version == "" && t.stage == "" {
		t.stage = StageCurrent
	}
	for _, name := range t.names {
		if !plainName(name) {
			return t, noSuch(ref.Name)
		}
	}
	return t, nil
}

// cutLabel splits "/prod/db:3" into the label and the names that may be meant.
func cutLabel(text string) (label string, names []string) {
	name, label, _ := strings.Cut(text, ":")
	names = []string{name}
	if inner, ok := strings.CutPrefix(name, managerPath); ok && inner != "" {
		names = append(names, inner)
	}
	return label, names
}

// arnNames returns the names that an ARN can mean. Secrets Manager adds a dash and six characters to a secret's name;
// the slash before a parameter's path belongs to the path or, for a name without one, does not.
func arnNames(arn string) (names []string, label string, err error) {
	parts := strings.SplitN(arn, ":", 8)
	if len(parts) < 6 {
		return nil, "", notAnARN(arn)
	}
	switch service := parts[2]; {
	case service == "secretsmanager" && len(parts) == 7 && parts[5] == "secret" && parts[6] != "":
		names = []string{parts[6]}
		if base, ok := withoutSuffix(parts[6]); ok {
			names = append(names, base)
		}
		return names, "", nil
	case service == "ssm" && len(parts) <= 7:
		path, ok := strings.CutPrefix(parts[5], "parameter/")
		if !ok || path == "" {
			return nil, "", notAnARN(arn)
		}
		if len(parts) == 7 {
			label = parts[6]
		}
		return []string{"/" + path, path}, label, nil
	}
	return nil, "", notAnARN(arn)
}

func notAnARN(arn string) error {
	return say(ErrNotFound, "%s is no ARN of a secret or a parameter; expected arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME or arn:aws:ssm:REGION:ACCOUNT:parameter/NAME", shown(arn))
}

// withoutSuffix takes the dash and six letters or digits off that Secrets Manager puts behind a name in its ARN.
func withoutSuffix(name string) (string, bool) {
	const suffix = 7
	base := len(name) - suffix
	if base < 1 || name[base] != '-' {
		return "", false
	}
	for _, c := range []byte(name[base+1:]) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') {
			return "", false
		}
	}
	return name[:base], true
}

// noSuch is CodeBuild's sentence, which log scrapers know.
func noSuch(name string) error { return say(ErrNotFound, "Parameter does not exist: %s", shown(name)) }
