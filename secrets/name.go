package secrets

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName bounds a name in bytes, as Secrets Manager does.
const MaxName = 512

// CheckName refuses what cannot be the name of a secret: names hold letters, digits and / _ . - + = @, as those of
// Parameter Store and Secrets Manager together. "/prod/db" and "prod/db" are two names. The error wraps ErrInvalid.
func CheckName(name string) error {
	switch {
	case name == "":
		return say(ErrInvalid, "a secret needs a name, like /prod/db/password")
	case len(name) > MaxName:
		return say(ErrInvalid, "the name has %d bytes; a name has at most %d", len(name), MaxName)
	case strings.HasPrefix(name, "arn:"):
		return say(ErrInvalid, "%s is an ARN, not a name: store the secret under the last part of it, and a buildspec may use either", shown(name))
	case !plainName(name):
		return say(ErrInvalid, "%s is no name of a secret: use letters, digits and / _ . - + = @", shown(name))
	}
	return nil
}

func plainName(name string) bool {
	return name != "" && len(name) <= MaxName && !strings.ContainsFunc(name, func(r rune) bool { return !nameRune(r) })
}

func nameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/_.-+=@", r)
}

// shown is text from outside as a message may repeat it: short, and without what moves a cursor.
func shown(text string) string {
	const most = 100
	cut := len(text) > most
	if cut {
		text = text[:most]
	}
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if cut {
		text += "…"
	}
	return text
}
