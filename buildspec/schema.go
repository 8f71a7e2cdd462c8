package buildspec

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// shape is what a key's value looks like to an editor: a JSON Schema, made when it is asked for, because sections
// hold one another.
type shape func() map[string]any

// Schema is the JSON Schema (draft 2020-12) of a buildspec for editors, indented, with a line end. It comes from the
// tables that the parser reads by. It accepts what the parser accepts in common: keys that nobody knows pass both.
func Schema() []byte {
	root := object(topSection)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "https://github.com/runner-ci/runner/buildspec/schema.json"
	root["title"] = "buildspec.yml as Runner reads it"
	root["type"] = "object"
	root["anyOf"] = []any{map[string]any{"required": []string{"phases"}}, map[string]any{"required": []string{"batch"}}}
	root["$defs"] = map[string]any{
		"text": map[string]any{"type": []string{"string", "number", "boolean", "null"}},
		"texts": map[string]any{"anyOf": []any{
			ref("text"),
			map[string]any{"type": "array", "items": ref("text")},
		}},
		"flag": map[string]any{"anyOf": []any{
			map[string]any{"type": []string{"boolean", "null"}},
			map[string]any{"type": "string", "pattern": anyCase("yes", "no", "true", "false")},
		}},
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		return nil // nothing in it is without a form in JSON
	}
	return b.Bytes()
}

// object is the schema of a section.
func object(s section) map[string]any {
	props := map[string]any{}
	for _, k := range s.keys {
		value := k.value()
		value["description"] = k.about
		props[k.name] = value
	}
	o := map[string]any{"type": []string{"object", "null"}, "properties": props}
	if len(s.must) > 0 {
		o["required"] = s.must
	}
	if s.closed {
		o["additionalProperties"] = false
	}
	return o
}

func ref(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }

func anyText() map[string]any  { return ref("text") }
func textList() map[string]any { return ref("texts") }
func yesNo() map[string]any    { return ref("flag") }

// texted is a mapping of any names to texts.
func texted() map[string]any {
	return map[string]any{"type": []string{"object", "null"}, "additionalProperties": anyText()}
}

// block is a mapping of a section's keys.
func block(s *section) shape {
	return func() map[string]any { return object(*s) }
}

// filledBlock is one that must hold something.
func filledBlock(s *section) shape {
	return func() map[string]any {
		o := object(*s)
		o["type"], o["minProperties"] = "object", 1
		return o
	}
}

// blocks is a list of such mappings.
func blocks(s *section) shape {
	return func() map[string]any {
		item := object(*s)
		item["type"] = "object"
		return map[string]any{"type": "array", "minItems": 1, "items": item}
	}
}

// byName is a mapping of names that the file chooses. Names that do not match the pattern, where there is one, are
// mistakes.
func byName(pattern string, value shape) shape {
	return func() map[string]any {
		o := map[string]any{"type": []string{"object", "null"}}
		if pattern == "" {
			o["additionalProperties"] = value()
			return o
		}
		o["patternProperties"] = map[string]any{pattern: value()}
		o["additionalProperties"] = false
		return o
	}
}

// aWord is one of some words.
func aWord(words ...string) shape {
	return func() map[string]any {
		all := make([]any, 0, len(words)+1)
		for _, w := range words {
			all = append(all, w)
		}
		return map[string]any{"enum": append(all, nil)}
	}
}

// inAnyCase is one of some words, which editors offer as they are and accept in any case.
func inAnyCase(words ...string) shape {
	return func() map[string]any {
		return map[string]any{"anyOf": []any{
			map[string]any{"enum": slices.Clone(words)},
			map[string]any{"type": "string", "pattern": anyCase(words...)},
			map[string]any{"type": "null"},
		}}
	}
}

// shardsValue is a number, the word auto, or a mapping, in which a target goes with auto alone.
func shardsValue() map[string]any {
	all := append(wholeNumber(1, MaxParallelism)()["anyOf"].([]any), map[string]any{"type": "string", "pattern": anyCase("auto")})
	chosen, untimed := object(shardsSection), object(shardsSection)
	chosen["properties"].(map[string]any)["auto"] = map[string]any{"description": "The number is chosen from what is known of the tests.", "anyOf": []any{
		map[string]any{"enum": []any{true, nil}},
		map[string]any{"type": "string", "pattern": anyCase("yes", "true")},
	}}
	untimed["properties"].(map[string]any)["target"] = map[string]any{"type": "null", "description": "Goes with auto alone."}
	return map[string]any{"anyOf": append(all, chosen, untimed)}
}

// testRetryValue is a number or a mapping.
func testRetryValue() map[string]any {
	all := wholeNumber(0, mostEach)()["anyOf"].([]any)
	return map[string]any{"anyOf": append(all, block(&testRetrySection)())}
}

// wholeNumber is a whole number, as such or as a text.
func wholeNumber(least, most int) shape {
	return func() map[string]any {
		return map[string]any{"anyOf": []any{
			map[string]any{"type": "integer", "minimum": least, "maximum": most},
			map[string]any{"type": "string", "pattern": "^[0-9]+$"},
		}}
	}
}

func versionNumber() map[string]any {
	return map[string]any{"enum": []any{0.2, "0.2", 0.1, "0.1"}}
}

func onFailureWord() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"enum": []any{"ABORT", "CONTINUE", "RETRY", nil}},
		map[string]any{"type": "string", "pattern": "^(" + letters("ABORT") + "|" + letters("CONTINUE") + "|" + letters("RETRY") + "(-.+)?)$"},
	}}
}

// anyCase is a pattern for words in any case: JSON Schema's have no flag for it.
func anyCase(words ...string) string {
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = letters(w)
	}
	return "^(" + strings.Join(parts, "|") + ")$"
}

func letters(word string) string {
	var b strings.Builder
	for _, r := range word {
		upper, lower := strings.ToUpper(string(r)), strings.ToLower(string(r))
		if upper == lower {
			b.WriteString(regexp.QuoteMeta(string(r)))
			continue
		}
		b.WriteString("[" + upper + lower + "]")
	}
	return b.String()
}
