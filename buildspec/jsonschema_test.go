package buildspec

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// jsonSchema judges values by the part of JSON Schema that Schema uses. A word of it that is not known here is told,
// so that none goes untried.
type jsonSchema struct{ tree map[string]any }

func (s *jsonSchema) check(schema map[string]any, v any, at string) (wrong []string) {
	say := func(format string, args ...any) {
		wrong = append(wrong, at+": "+fmt.Sprintf(format, args...))
	}
	for word, rule := range schema {
		switch word {
		case "$schema", "$id", "$defs", "title", "description", "properties", "patternProperties", "additionalProperties":
		case "$ref":
			name := strings.TrimPrefix(rule.(string), "#/$defs/")
			wrong = append(wrong, s.check(s.tree["$defs"].(map[string]any)[name].(map[string]any), v, at)...)
		case "type":
			if !hasType(rule, v) {
				say("%v is not of type %v", v, rule)
			}
		case "enum":
			if !slices.ContainsFunc(rule.([]any), func(one any) bool { return reflect.DeepEqual(one, v) }) {
				say("%v is none of %v", v, rule)
			}
		case "anyOf":
			if !slices.ContainsFunc(rule.([]any), func(one any) bool { return len(s.check(one.(map[string]any), v, at)) == 0 }) {
				say("%v is nothing of %v", v, rule)
			}
		case "not":
			say("this is never right")
		case "pattern":
			if text, ok := v.(string); ok && !regexp.MustCompile(rule.(string)).MatchString(text) {
				say("%q does not match %v", text, rule)
			}
		case "minimum":
			if n, ok := v.(float64); ok && n < rule.(float64) {
				say("%v is too small", n)
			}
		case "maximum":
			if n, ok := v.(float64); ok && n > rule.(float64) {
				say("%v is too large", n)
			}
		case "required":
			for _, name := range rule.([]any) {
				if m, ok := v.(map[string]any); ok && m[name.(string)] == nil {
					say("lacks %v", name)
				}
			}
		case "minProperties":
			if m, ok := v.(map[string]any); ok && float64(len(m)) < rule.(float64) {
				say("is empty")
			}
		case "minItems":
			if l, ok := v.([]any); ok && float64(len(l)) < rule.(float64) {
				say("is empty")
			}
		case "items":
			if l, ok := v.([]any); ok {
				for i, item := range l {
					wrong = append(wrong, s.check(rule.(map[string]any), item, fmt.Sprintf("%s[%d]", at, i))...)
				}
			}
		default:
			say("the word %q of the schema is not tried here", word)
		}
	}
	if m, ok := v.(map[string]any); ok {
		for name, value := range m {
			wrong = append(wrong, s.property(schema, name, value, at+"."+name)...)
		}
	}
	return wrong
}

// property judges one key of a mapping.
func (s *jsonSchema) property(schema map[string]any, name string, v any, at string) []string {
	if props, ok := schema["properties"].(map[string]any); ok && props[name] != nil {
		return s.check(props[name].(map[string]any), v, at)
	}
	if patterns, ok := schema["patternProperties"].(map[string]any); ok {
		for pattern, rule := range patterns {
			if regexp.MustCompile(pattern).MatchString(name) {
				return s.check(rule.(map[string]any), v, at)
			}
		}
	}
	switch rule := schema["additionalProperties"].(type) {
	case bool:
		if !rule {
			return []string{at + ": there is no such key"}
		}
	case map[string]any:
		return s.check(rule, v, at)
	}
	return nil
}

func hasType(rule, v any) bool {
	types, ok := rule.([]any)
	if !ok {
		types = []any{rule}
	}
	return slices.ContainsFunc(types, func(one any) bool {
		switch v := v.(type) {
		case nil:
			return one == "null"
		case bool:
			return one == "boolean"
		case string:
			return one == "string"
		case float64:
			return one == "number" || one == "integer" && v == math.Trunc(v)
		case []any:
			return one == "array"
		default:
			return one == "object"
		}
	})
}
