package config

import (
	"errors"
	"strings"
)

// SecretRef is a reference of the form that CodeBuild has for secrets-manager: secret-id[:json-key[:stage[:version]]].
type SecretRef struct {
	Secret  string // name or ARN
	Key     string // field of a secret that holds JSON; "" is the whole text
	Stage   string
	Version string
}

// arnFields are the fields of a secret's ARN, which has colons of its own: arn:aws:secretsmanager:region:account:secret:name.
const arnFields = 7

// ParseSecretRef reads a reference. Fields in the middle may be empty.
func ParseSecretRef(text string) (SecretRef, error) {
	fields := strings.Split(strings.TrimSpace(text), ":")
	if fields[0] == "arn" {
		if len(fields) < arnFields {
			return SecretRef{}, errors.New("the ARN ends before the secret's name")
		}
		fields = append([]string{strings.Join(fields[:arnFields], ":")}, fields[arnFields:]...)
	}
	if len(fields) > 4 {
		return SecretRef{}, errors.New("the reference has more than four fields")
	}
	fields = append(fields, "", "", "")
	r := SecretRef{Secret: fields[0], Key: fields[1], Stage: fields[2], Version: fields[3]}
	switch {
	case r.Secret == "":
		return r, errors.New("the reference names no secret")
	case r.Stage != "" && r.Version != "":
		return r, errors.New("the reference has a stage and a version, of which only one can be")
	}
	return r, nil
}
