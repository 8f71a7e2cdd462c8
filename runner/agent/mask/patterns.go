package mask

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

const (
	// minSecret is the shortest value that is masked. Shorter ones would tear every log to pieces, and the
	// pieces would show what was masked.
	minSecret = 3
	// minLine is the shortest line of a value of several lines that is masked by itself: "}" is no secret.
	minLine = 4
	// minEncoded is the shortest encoded form that is masked. Shorter ones match by accident.
	minEncoded = 6
	// wrapAt is where the base64 command breaks its lines.
	wrapAt = 76
	// minPiece is the shortest piece of a base64 form that is masked where a line was broken inside it.
	minPiece = 8
	// maxPieces bounds, in bytes, the values whose pieces are masked: tokens and passwords. Their number grows with the value.
	maxPieces = 256
	// allPieces bounds the pieces of all values together: with more of them a job would start noticeably later.
	allPieces = 100_000
)

// patterns returns every text by which the secrets are to be known, longest first.
func patterns(secrets []string) []string {
	var all []string
	left := allPieces
	for _, secret := range secrets {
		trimmed := strings.TrimRight(secret, "\r\n")
		all = appendLong(all, minSecret, secret, trimmed)
		if strings.ContainsAny(trimmed, "\r\n") {
			for line := range strings.FieldsFuncSeq(trimmed, isNewline) {
				all = appendLong(all, minLine, strings.TrimSpace(line))
			}
		}
		if len(trimmed) < minSecret {
			continue
		}
		// With a newline too: that is what echo gives to base64.
		for _, value := range []string{secret, trimmed, trimmed + "\n"} {
			all = appendLong(all, minEncoded, encoded(value, &left)...)
			all = appendLong(all, minSecret, escaped(value)...)
			all = appendLong(all, minSecret, quoted(value)...)
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(all)
}

func isNewline(r rune) bool { return r == '\n' || r == '\r' }

func appendLong(all []string, least int, texts ...string) []string {
	for _, text := range texts {
		if len(text) >= least {
			all = append(all, text)
		}
	}
	return all
}

// encoded returns the base64 forms: the value alone, whole and in the lines that base64 prints, and what of it
// can be seen when it stands at each of the three alignments inside something longer. Pieces are made as long as some
// are left.
func encoded(value string, left *int) []string {
	var forms []string
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		whole := alphabet.EncodeToString([]byte(value))
		forms = append(forms, whole, strings.TrimRight(whole, "="))
		if len(whole) > wrapAt {
			for part := range slices.Chunk([]byte(whole), wrapAt) {
				forms = append(forms, string(part))
			}
		}
		for lead := range 3 {
			form := aligned(alphabet, value, lead)
			forms = append(forms, form)
			if len(value) <= maxPieces && *left > 0 {
				more := pieces(form)
				forms = append(forms, more...)
				*left -= len(more)
			}
		}
	}
	return forms
}

// aligned returns the characters that depend on value alone when lead bytes stand before it and unknown ones
// after it.
func aligned(alphabet *base64.Encoding, value string, lead int) string {
	padded := make([]byte, lead, lead+len(value))
	padded = append(padded, value...)
	text := alphabet.WithPadding(base64.NoPadding).EncodeToString(padded)
	from := (lead*8 + 5) / 6
	to := len(padded) * 8 / 6
	if from >= to {
		return ""
	}
	return text[from:to]
}

// pieces returns what a line of broken base64 may hold of a form that stands inside something longer: its beginning, its
// end, or a full line out of its middle.
func pieces(form string) []string {
	var out []string
	for i := minPiece; i+minPiece <= len(form); i++ {
		out = append(out, form[:i], form[i:])
	}
	for i := 1; i+wrapAt < len(form); i++ {
		out = append(out, form[i:i+wrapAt])
	}
	return out
}

// quoted returns the value as JSON and most languages escape it, where that differs: with the signs that HTML minds
// escaped too, and without.
func quoted(value string) []string {
	var forms []string
	for _, html := range []bool{true, false} {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		if e.Encode(value) != nil {
			return nil
		}
		text := strings.TrimSuffix(b.String(), "\n")
		if text = text[1 : len(text)-1]; text != value {
			forms = append(forms, text)
		}
	}
	return forms
}

// escaped returns the URL-encoded forms that differ from the value: with a space as %20 or as +, and with
// capital or small digits.
func escaped(value string) []string {
	path := percent(value)
	if path == value {
		return nil
	}
	query := strings.ReplaceAll(path, "%20", "+")
	return []string{path, query, lowerEscapes(path), lowerEscapes(query)}
}

const capitals = "0123456789ABCDEF"

func percent(value string) string {
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(capitals[c>>4])
		b.WriteByte(capitals[c&15])
	}
	return b.String()
}

func lowerEscapes(text string) string {
	out := []byte(text)
	for i := 0; i+2 < len(out); i++ {
		if out[i] == '%' {
			copy(out[i+1:i+3], strings.ToLower(text[i+1:i+3]))
			i += 2
		}
	}
	return string(out)
}
