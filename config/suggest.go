package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// suggestKey says what a wrong key may have been meant to be: the same key where it belongs, a near one of the same mapping, or else the list of what may stand here.
func suggestKey(key string, here reflect.Type) string {
	keys := keysOf(here)
	near, place := nearest(key, keys), placeOf(key, reflect.TypeFor[Config](), "")
	switch {
	case near != "" && (place == "" || plain(near) == plain(key)):
		return fmt.Sprintf("did you mean %q?", near)
	case place != "":
		return fmt.Sprintf("%q belongs at %s", key, place)
	}
	return "the keys here are " + strings.Join(keys, ", ")
}

// keysOf lists the yaml keys of a struct type in the order of its fields.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		keys = append(keys, t.Field(i).Tag.Get("yaml"))
	}
	return keys
}

// placeOf finds the path of a key anywhere in the schema, "projects[].image", nearest to the top.
func placeOf(key string, t reflect.Type, prefix string) string {
	if t.Kind() == reflect.Slice {
		t, prefix = t.Elem(), strings.TrimSuffix(prefix, ".")+"[]."
	}
	if t.Kind() != reflect.Struct {
		return ""
	}
	if slices.Contains(keysOf(t), key) {
		return prefix + key
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if place := placeOf(key, f.Type, prefix+f.Tag.Get("yaml")+"."); place != "" {
			return place
		}
	}
	return ""
}

// nearest returns the candidate that differs least from word, or "" when none is near enough to be a slip.
func nearest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/3+1
	for _, c := range candidates {
		if d := distance(plain(word), plain(c)); d < bestDistance || (d == 0 && best == "") {
			best, bestDistance = c, d
		}
	}
	return best
}

// plain removes what people vary in keys: case, dashes, underscores.
func plain(s string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s))
}

// distance is the number of inserted, removed, changed or swapped letters between two words.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > 64 || len(t) > 64 {
		return len(s) + len(t)
	}
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range t {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(s)][len(t)]
}
