package buildspec

import "testing"

func TestSecretReferences(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-a1B2c3"
	for text, want := range map[string]SecretRef{
		"app/db":                       {Secret: "app/db"},
		" app/db:password ":            {Secret: "app/db", Key: "password"},
		"app/db:password:AWSPREVIOUS":  {Secret: "app/db", Key: "password", Stage: "AWSPREVIOUS"},
		"app/db::AWSCURRENT":           {Secret: "app/db", Stage: "AWSCURRENT"},
		"app/db:password::v7":          {Secret: "app/db", Key: "password", Version: "v7"},
		arn:                            {Secret: arn},
		arn + ":password":              {Secret: arn, Key: "password"},
		arn + ":password::v7":          {Secret: arn, Key: "password", Version: "v7"},
		arn + ":password:AWSPREVIOUS:": {Secret: arn, Key: "password", Stage: "AWSPREVIOUS"},
	} {
		if got, err := ParseSecretRef(text); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", ":key", "a:b:c:d", "a:b:c:d:e", "arn:aws:secretsmanager"} {
		if got, err := ParseSecretRef(text); err == nil {
			t.Errorf("%q passes as %+v", text, got)
		}
	}
}
