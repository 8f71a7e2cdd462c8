package secrets

import (
	"bytes"
	"encoding/json"
)

// field takes one field out of a value that is a JSON object: text as it is, everything else as JSON. Messages name no
// field but the one that was asked for, and no piece of the value.
func field(name, value, key string) (string, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(value), &object); err != nil || object == nil {
		return "", say(ErrNotFound, "%s was asked for its field %s, but what it holds is no JSON object; set it to one, or name it without a field", shown(name), shown(key))
	}
	raw, ok := object[key]
	if !ok {
		return "", say(ErrNotFound, "%s has no field %s; fields are told apart by case too", shown(name), shown(key))
	}
	var text string
	if raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return string(raw), nil
	}
	return out.String(), nil
}
