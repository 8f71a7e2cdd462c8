package buildspec

import (
	"fmt"
	"strings"
)

// arnColons are those of a secret's ARN: arn:partition:service:region:account:secret:name.
const arnColons = 6

// ParseSecretRef reads a reference to a secret: secret-id[:json-key[:version-stage[:version-id]]], the id a name or
// an ARN. Fields in the middle may be empty, white space around the whole means nothing.
func ParseSecretRef(text string) (SecretRef, error) {
	text = strings.TrimSpace(text)
	id, rest := text, ""
	if strings.HasPrefix(text, "arn:") {
		parts := strings.SplitN(text, ":", arnColons+2)
		if len(parts) <= arnColons {
			return SecretRef{}, fmt.Errorf("an ARN has %d colons, arn:aws:secretsmanager:region:account:secret:name, and this has %d", arnColons, len(parts)-1)
		}
		id = strings.Join(parts[:arnColons+1], ":")
		if parts[arnColons] == "" {
			return SecretRef{}, fmt.Errorf("the ARN names no secret")
		}
		if len(parts) > arnColons+1 {
			rest = parts[arnColons+1]
		}
	} else {
		id, rest, _ = strings.Cut(text, ":")
	}
	fields := strings.Split(rest, ":")
	if len(fields) > 3 {
		return SecretRef{}, fmt.Errorf("it has %d fields, and may have 4: secret-id:json-key:version-stage:version-id", len(fields)+1)
	}
	fields = append(fields, "", "")
	ref := SecretRef{Secret: id, Key: fields[0], Stage: fields[1], Version: fields[2]}
	switch {
	case ref.Secret == "":
		return SecretRef{}, fmt.Errorf("it names no secret")
	case ref.Stage != "" && ref.Version != "":
		return SecretRef{}, fmt.Errorf("it names the stage %q and the version %q, and may name one of the two", shorten(ref.Stage), shorten(ref.Version))
	}
	return ref, nil
}
